// Positioned reads.
#include "lib/io/file_reader.h"

#include <cerrno>
#include <utility>

#include "lib/base/concat.h"
#include "lib/io/os_error.h"
#include "lib/io/system.h"

namespace hearth {

Result<FileReader> FileReader::open(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a path must not contain a NUL character"};
  }
  FileReader file;
  file.path_ = path;
  file.fd_ = sys::open_to_read(path);
  if (file.fd_ < 0) return os_error(path, "cannot open", errno);
  sys::FileInfo info;
  if (!sys::describe(file.fd_, &info)) return os_error(path, "cannot stat", errno);
  if (!info.is_regular) return Error{ErrorCode::kIo, path + ": is not a regular file"};
  file.size_ = info.bytes;
  file.changed_seconds_ = info.changed_seconds;
  file.changed_nanoseconds_ = info.changed_nanoseconds;
  return file;
}

Status FileReader::read_at(uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const int64_t got = sys::read_at(fd_, bytes.data(), bytes.size(), offset);
    if (got < 0) return os_error(path_, concat("cannot read at offset ", offset), errno);
    if (got == 0) {
      return Error{ErrorCode::kIo, concat(path_, ": shrank to ", offset, " bytes while it was read")};
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

Status FileReader::check_unchanged() const {
  sys::FileInfo info;
  if (!sys::describe(fd_, &info)) return os_error(path_, "cannot stat", errno);
  if (info.bytes == size_ && info.changed_seconds == changed_seconds_ &&
      info.changed_nanoseconds == changed_nanoseconds_) {
    return {};
  }
  return Error{ErrorCode::kIo, path_ + ": changed while it was read"};
}

FileReader::FileReader(FileReader&& other) noexcept {
  *this = std::move(other);
}

FileReader& FileReader::operator=(FileReader&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  std::swap(changed_seconds_, other.changed_seconds_);
  std::swap(changed_nanoseconds_, other.changed_nanoseconds_);
  return *this;
}

FileReader::~FileReader() {
  if (fd_ >= 0) sys::close(fd_);
}

}  // namespace hearth
