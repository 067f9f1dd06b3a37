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
namespace {

constexpr size_t kMostBytesOfARead = size_t{1} << 30;  // Linux reads at most 2 GiB - 4 KiB in one call

}  // namespace

Result<FileReader> FileReader::open(const std::string& path) {
  if (path.find('\0') != std::string::npos)
    return Error{ErrorCode::kInvalidArgument, "a path contains a NUL character"};
  FileReader file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return os_error(path, "cannot open", errno);
  struct stat info {};
  if (::fstat(file.fd_, &info) != 0) return os_error(path, "cannot read", errno);
  if (!S_ISREG(info.st_mode)) return Error{ErrorCode::kIo, path + ": cannot be read: is not a regular file"};
  file.size_ = static_cast<uint64_t>(info.st_size);
  return file;
}

Status FileReader::read(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const size_t n = std::min(out.size(), kMostBytesOfARead);
    const ssize_t got = ::pread(fd_, out.data(), n, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(path_, "cannot read at offset " + std::to_string(offset), errno);
    if (got == 0)
      return Error{ErrorCode::kIo, path_ + ": ends at offset " + std::to_string(offset) + ", it was longer"};
    out = out.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

FileReader::FileReader(FileReader&& other) noexcept {
  *this = std::move(other);
}

FileReader& FileReader::operator=(FileReader&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) ::close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  size_ = other.size_;
  path_ = std::move(other.path_);
  return *this;
}

FileReader::~FileReader() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace hearth
