// Writing through a temporary that is renamed at the end.
#include "lib/io/atomic_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/concat.h"
#include "lib/io/os_error.h"
#include "lib/io/system.h"

namespace hearth {
namespace {

/// Written at once, from multiples of it on: what file systems with large folios keep in pages of 2 MB, which whoever
/// maps the file reads faster.
constexpr size_t kPieceBytes = size_t{2} << 20;
constexpr int kNameAttempts = 100;

std::string folder_of_target(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

/// A name that no other writer in this process or another uses at this time.
std::string temporary_name(const std::string& target) {
  static std::atomic<uint32_t> counter{0};
  return concat(target, ".tmp-", sys::process_id(), "-", counter.fetch_add(1));
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a path must not be empty or contain a NUL character"};
  }
  if (sys::FileInfo info; sys::describe(path, &info) && !info.is_regular) {
    return Error{ErrorCode::kIo, path + ": cannot be written: is not a regular file"};
  }
  AtomicFile file;
  file.path_ = path;
  file.target_ = sys::resolve(path);
  file.buffer_.reset(new (std::nothrow) std::byte[kPieceBytes]);
  if (!file.buffer_) return Error{ErrorCode::kOutOfMemory, path + ": no memory for a write buffer"};
  int reason = 0;
  file.fd_ = sys::create_nameless(folder_of_target(file.target_));
  for (int i = 0; i < kNameAttempts && file.fd_ < 0; ++i) {
    std::string name = temporary_name(file.target_);
    file.fd_ = sys::create(name);
    reason = errno;
    if (file.fd_ >= 0) file.temporary_ = std::move(name);
    if (file.fd_ < 0 && reason != EEXIST) break;
  }
  if (file.fd_ >= 0) return file;
  return os_error(path, "cannot create a temporary file beside it", reason);
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  if (!status_) return status_;
  if (fd_ < 0) return fail(Error{ErrorCode::kInvalidArgument, path_ + ": is not open for writing"});
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kPieceBytes - static_cast<size_t>(offset_ % kPieceBytes));
    if (n == kPieceBytes) {
      if (Status s = write_through(bytes.first(n)); !s) return s;
    } else {
      std::memcpy(buffer_.get() + buffered_, bytes.data(), n);
      buffered_ += n;
    }
    offset_ += n;
    bytes = bytes.subspan(n);
    if (offset_ % kPieceBytes == 0) {
      if (Status s = flush(); !s) return s;
    }
  }
  return {};
}

Status AtomicFile::flush() {
  return write_through({buffer_.get(), std::exchange(buffered_, 0)});
}

Status AtomicFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const int64_t written = sys::write(fd_, bytes.data(), bytes.size());
    if (written < 0) return fail(os_error(path_, "cannot write", errno));
    if (written == 0) return fail(os_error(path_, "cannot write", ENOSPC));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::overwrite(uint64_t offset, std::span<const std::byte> bytes) {
  if (!status_) return status_;
  if (fd_ < 0 || offset > offset_ || bytes.size() > offset_ - offset) {
    return fail(Error{ErrorCode::kInvalidArgument, path_ + ": nothing was written there yet"});
  }
  if (Status s = flush(); !s) return s;
  while (!bytes.empty()) {
    const int64_t written = sys::write_at(fd_, bytes.data(), bytes.size(), offset);
    if (written <= 0) return fail(os_error(path_, "cannot write", written < 0 ? errno : ENOSPC));
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status AtomicFile::commit() {
  if (!status_) return status_;
  if (fd_ < 0) return fail(Error{ErrorCode::kInvalidArgument, path_ + ": is not open for writing"});
  if (Status s = flush(); !s) return s;
  if (temporary_.empty()) {
    if (Status s = give_name(); !s) return s;
  }
  // Network file systems report a full disk here.
  if (sys::close(std::exchange(fd_, -1)) != 0) return fail(os_error(path_, "cannot close", errno));
  if (temporary_ == target_) return temporary_.clear(), Status();
  if (!sys::replace(temporary_, target_)) return fail(os_error(path_, "cannot rename", errno));
  temporary_.clear();
  return {};
}

/// The nameless file becomes the target where there is none yet, otherwise a temporary to be renamed.
Status AtomicFile::give_name() {
  std::string name = target_;
  for (int i = 0; i <= kNameAttempts; ++i) {
    if (sys::give_name(fd_, name)) {
      temporary_ = std::move(name);
      return {};
    }
    if (errno != EEXIST) return fail(os_error(path_, "cannot give the file its name", errno));
    name = temporary_name(target_);
  }
  return fail(os_error(path_, "cannot give the file its name", EEXIST));
}

Status AtomicFile::fail(Error error) {
  status_ = std::move(error);
  discard();
  return status_;
}

void AtomicFile::discard() {
  if (fd_ >= 0) sys::close(std::exchange(fd_, -1));
  if (!temporary_.empty()) sys::remove(temporary_);
  temporary_.clear();
  buffered_ = 0;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept {
  *this = std::move(other);
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::exchange(other.path_, {});
  target_ = std::exchange(other.target_, {});
  temporary_ = std::exchange(other.temporary_, {});
  buffer_ = std::move(other.buffer_);
  buffered_ = std::exchange(other.buffered_, 0);
  offset_ = std::exchange(other.offset_, 0);
  status_ = std::move(other.status_);
  return *this;
}

AtomicFile::~AtomicFile() {
  discard();
}

}  // namespace hearth
