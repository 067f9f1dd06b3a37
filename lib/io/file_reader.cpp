// Positioned reads (POSIX).
#define _FILE_OFFSET_BITS 64
#include "lib/io/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "lib/io/os_error.h"

namespace hearth {

Result<FileReader> FileReader::open(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "a path must not contain a NUL character"};
  }
  FileReader file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return os_error(path, "cannot open", errno);
  struct stat info {};
  if (::fstat(file.fd_, &info) != 0) return os_error(path, "cannot stat", errno);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kIo, path + ": is not a regular file"};
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.changed_seconds_ = info.st_mtim.tv_sec;
  file.changed_nanoseconds_ = info.st_mtim.tv_nsec;
  return file;
}

Status FileReader::read_at(uint64_t offset, std::span<std::byte> bytes) const {
  constexpr size_t kMaxBytes = size_t{1} << 30;  // Linux reads at most 2 GiB - 4 KiB in one call
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd_, bytes.data(), std::min(bytes.size(), kMaxBytes), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(path_, "cannot read at offset " + std::to_string(offset), errno);
    if (got == 0) {
      return Error{ErrorCode::kIo, path_ + ": shrank to " + std::to_string(offset) + " bytes while it was read"};
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

Status FileReader::check_unchanged() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return os_error(path_, "cannot stat", errno);
  if (static_cast<uint64_t>(info.st_size) == size_ && info.st_mtim.tv_sec == changed_seconds_ &&
      info.st_mtim.tv_nsec == changed_nanoseconds_) {
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
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace hearth
