// Files of a store.
#include "files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

Error io_error(const fs::path& path, const char* what) {
  return Error{ErrorCode::kIo, path.string() + ": " + what + ": " + std::strerror(errno)};
}

}  // namespace

Result<fs::path> inside(const fs::path& root, const fs::path& path) {
  std::error_code error;
  const fs::path real_root = fs::canonical(root, error);
  if (error) return Error{ErrorCode::kNotFound, root.string() + ": there is no such folder"};
  const fs::path real = fs::canonical(path, error);
  if (error) return Error{ErrorCode::kNotFound, path.string() + ": is missing"};
  const fs::path relative = real.lexically_relative(real_root);
  if (relative.empty() || *relative.begin() == "..") {
    return Error{ErrorCode::kFormat, path.string() + ": is a link that leads out of the store " + root.string()};
  }
  return real;
}

Result<std::string> read_whole(const fs::path& path, uint64_t limit) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return Error{ErrorCode::kNotFound, path.string() + ": there is no such file"};
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::kIo, path.string() + ": cannot be read"};
  const uint64_t size = fs::file_size(path, error);
  if (error || size > limit) {
    return Error{ErrorCode::kLimit, path.string() + ": has more than " + std::to_string(limit) + " bytes"};
  }
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

Status write_whole(const fs::path& path, std::string_view bytes) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path beside = path.string() + ".new-" + unique_text();
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return io_error(beside, "cannot be written");
  bool ok = true;
  for (size_t at = 0; ok && at < bytes.size();) {
    const ssize_t n = ::write(file, bytes.data() + at, bytes.size() - at);
    ok = n > 0;
    if (ok) at += static_cast<size_t>(n);
  }
  ok = ok && ::fsync(file) == 0;
  Status status = ok ? Status() : Status(io_error(beside, "cannot be written"));
  ::close(file);
  if (ok && ::rename(beside.c_str(), path.c_str()) != 0) status = io_error(path, "cannot be written");
  if (!status) ::unlink(beside.c_str());
  if (status) flush_folder(path.parent_path());
  return status;
}

void flush_folder(const fs::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

int64_t modified_seconds(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

std::string unique_text() {
  static std::atomic<uint64_t> n{0};
  return std::to_string(::getpid()) + "-" + std::to_string(++n);
}

namespace {

/// Removes folders of work whose owners live no more: nobody holds their locks. One that has just been made may not be
/// locked yet.
void remove_abandoned(const fs::path& work) {
  const auto a_minute_ago = fs::file_time_type::clock::now() - std::chrono::minutes(1);
  std::error_code error;
  for (fs::directory_iterator it(work, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (fs::last_write_time(it->path(), ignored) > a_minute_ago || ignored) continue;
    const int file = ::open((it->path() / ".lock").c_str(), O_RDWR | O_CLOEXEC);
    const bool is_held = file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) != 0;
    if (!is_held) fs::remove_all(it->path(), ignored);
    if (file >= 0) ::close(file);
  }
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& root) : path_(root / "work" / unique_text()) {
  remove_abandoned(root / "work");
  std::error_code error;
  fs::remove_all(path_, error);  // of a process that had this number
  fs::create_directories(path_, error);
  lock_ = ::open((path_ / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) {
    error_ = error ? error.value() : errno;
  } else {
    ::flock(lock_, LOCK_EX | LOCK_NB);
  }
}

WorkFolder::~WorkFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (lock_ >= 0) ::close(lock_);
}

Status WorkFolder::check() const {
  if (lock_ >= 0) return {};
  return Error{ErrorCode::kIo, path_.string() + ": cannot be made: " + std::strerror(error_)};
}

StoreLock::StoreLock(const fs::path& root) {
  std::error_code error;
  fs::create_directories(root, error);
  file_ = ::open((root / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ >= 0) ::flock(file_, LOCK_EX);
}

StoreLock::~StoreLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace hearth_store
