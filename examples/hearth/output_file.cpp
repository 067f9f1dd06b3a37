// Writing through a file without a name, or a temporary.
#include "output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hearth_tool {

using hearth::Status;

hearth::Error OutputFile::error(const char* what) const {
  return {hearth::ErrorCode::kIo, path_ + ": " + what + ": " + std::strerror(errno)};
}

OutputFile::~OutputFile() {
  if (file_) std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status OutputFile::open(const std::string& path) {
  path_ = path;
  struct stat info {};
  const bool is_special = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  if (!is_special && open_unnamed()) return {};
  if (!is_special) temporary_ = path + ".tmp-" + std::to_string(::getpid());
  file_ = std::fopen(is_special ? path.c_str() : temporary_.c_str(), is_special ? "wb" : "wbx");
  if (file_) return {};
  const hearth::Error failure = error("cannot be created");
  temporary_.clear();
  return failure;
}

bool OutputFile::open_unnamed() {
#ifdef O_TMPFILE
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
  if (::access("/proc/self/fd", X_OK) != 0) return false;  // the way to give it a name
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  file_ = ::fdopen(fd, "wb");
  if (!file_) ::close(fd);
  is_unnamed_ = file_ != nullptr;
#endif
  return is_unnamed_;
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return error("cannot be written");
  return {};
}

Status OutputFile::commit() {
  const bool was_flushed = std::fflush(file_) == 0;
  if (!was_flushed) return error("cannot be written");
  if (is_unnamed_) {
    const std::string temporary = path_ + ".tmp-" + std::to_string(::getpid());
    const std::string unnamed = "/proc/self/fd/" + std::to_string(::fileno(file_));
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return error("cannot be named");
    }
    temporary_ = temporary;
  }
  const bool was_closed = std::fclose(file_) == 0;
  file_ = nullptr;
  if (!was_closed) return error("cannot be written");
  if (temporary_.empty()) return {};
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return error("cannot be renamed into place");
  temporary_.clear();
  return {};
}

}  // namespace hearth_tool
