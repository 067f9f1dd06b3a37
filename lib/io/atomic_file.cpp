// Writing through a temporary that is renamed at the end (POSIX).
#define _FILE_OFFSET_BITS 64
#include "lib/io/atomic_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "lib/io/os_error.h"

namespace hearth {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;
constexpr size_t kMaxWriteBytes = size_t{1} << 30;  // Linux writes at most 2 GiB - 4 KiB in one call
constexpr int kNameAttempts = 100;

/// The path with symbolic links resolved when it exists, so that a link survives the rename.
std::string resolve(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string text(resolved);
  std::free(resolved);
  return text;
}

/// While it lives, a file that would pass the size limit of the process is an error (EFBIG) and no signal: SIGXFSZ
/// would end the host.
class HeldSizeSignal {
 public:
  HeldSizeSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGXFSZ);
    is_held_ = pthread_sigmask(SIG_BLOCK, &set_, &before_) == 0;
    was_pending_ = is_pending();
  }
  HeldSizeSignal(const HeldSizeSignal&) = delete;
  HeldSizeSignal& operator=(const HeldSizeSignal&) = delete;
  ~HeldSizeSignal() {
    const int reason = errno;
    int taken = 0;
    if (is_held_ && !was_pending_ && is_pending()) sigwait(&set_, &taken);
    if (is_held_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = reason;
  }

 private:
  static bool is_pending() {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
  }
  sigset_t set_, before_;
  bool is_held_ = false, was_pending_ = false;
};

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

/// A file without a name, which goes with the process however that ends; -1 where the system has none.
int open_nameless(const std::string& folder) {
#if defined(O_TMPFILE)
  if (::access("/proc/self/fd", X_OK) == 0) return ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#else
  (void)folder;
#endif
  return -1;
}

/// Gives the nameless file a name; false when it is taken or the system refuses, with errno.
bool link_nameless(int fd, const std::string& name) {
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

/// A name that no other writer in this process or another uses at this time.
std::string temporary_name(const std::string& target) {
  static std::atomic<uint32_t> counter{0};
  return target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a path must not be empty or contain a NUL character"};
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kIo, path + ": cannot be written: is not a regular file"};
  }
  AtomicFile file;
  file.path_ = path;
  file.target_ = resolve(path);
  file.buffer_.reset(new (std::nothrow) std::byte[kBufferBytes]);
  if (!file.buffer_) return Error{ErrorCode::kOutOfMemory, path + ": no memory for a write buffer"};
  int reason = 0;
  file.fd_ = open_nameless(folder_of(file.target_));
  for (int i = 0; i < kNameAttempts && file.fd_ < 0; ++i) {
    std::string name = temporary_name(file.target_);
    file.fd_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
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
  offset_ += bytes.size();
  if (buffered_ + bytes.size() > kBufferBytes) {
    if (Status s = flush(); !s) return s;
  }
  if (bytes.size() > kBufferBytes) return write_through(bytes);
  if (!bytes.empty()) std::memcpy(buffer_.get() + buffered_, bytes.data(), bytes.size());
  buffered_ += bytes.size();
  return {};
}

Status AtomicFile::flush() {
  return write_through({buffer_.get(), std::exchange(buffered_, 0)});
}

Status AtomicFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const HeldSizeSignal held;
    const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxWriteBytes));
    if (written < 0 && errno == EINTR) continue;
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
    const HeldSizeSignal held;
    const size_t n = std::min(bytes.size(), kMaxWriteBytes);
    const ssize_t written = ::pwrite(fd_, bytes.data(), n, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
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
  if (::close(std::exchange(fd_, -1)) != 0) return fail(os_error(path_, "cannot close", errno));
  if (temporary_ == target_) return temporary_.clear(), Status();
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) return fail(os_error(path_, "cannot rename", errno));
  temporary_.clear();
  return {};
}

/// The nameless file becomes the target where there is none yet, otherwise a temporary to be renamed.
Status AtomicFile::give_name() {
  std::string name = target_;
  for (int i = 0; i <= kNameAttempts; ++i) {
    if (link_nameless(fd_, name)) {
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
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
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
