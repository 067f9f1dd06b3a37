// Files of a store.
#include "files.h"
#include "system.h"

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
  fs::path beside = path;
  beside += ".new-" + unique_text();
  const int file = open_file(beside, Open::kAnew);
  if (file < 0) return io_error(beside, "cannot be written");
  const bool ok = write_file(file, bytes) && flush_file(file);
  Status status = ok ? Status() : Status(io_error(beside, "cannot be written"));
  close_file(file);
  if (ok) fs::rename(beside, path, error);
  if (ok && error) status = Error{ErrorCode::kIo, path.string() + ": cannot be written: " + error.message()};
  if (!status) fs::remove(beside, error);
  if (status) flush_folder(path.parent_path());
  return status;
}

void flush_folder(const fs::path& folder) {
  const int file = open_file(folder, Open::kFolder);
  if (file < 0) return;
  flush_file(file);
  close_file(file);
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
  return std::to_string(process_id()) + "-" + std::to_string(++n);
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
    const int file = open_file(it->path() / ".lock", Open::kExisting);
    const bool is_held = file >= 0 && !lock_file(file, false);
    if (!is_held) fs::remove_all(it->path(), ignored);
    if (file >= 0) close_file(file);
  }
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& root) : path_(root / "work" / unique_text()) {
  remove_abandoned(root / "work");
  std::error_code error;
  fs::remove_all(path_, error);  // of a process that had this number
  fs::create_directories(path_, error);
  lock_ = open_file(path_ / ".lock", Open::kKeep);
  if (lock_ < 0) {
    error_ = error ? error.value() : errno;
  } else {
    lock_file(lock_, false);
  }
}

WorkFolder::~WorkFolder() {
  std::error_code error;
  if (lock_ >= 0) close_file(lock_);  // Windows keeps a folder as long as a file in it is open
  fs::remove_all(path_, error);
}

Status WorkFolder::check() const {
  if (lock_ >= 0) return {};
  return Error{ErrorCode::kIo, path_.string() + ": cannot be made: " + std::strerror(error_)};
}

StoreLock::StoreLock(const fs::path& root) {
  std::error_code error;
  fs::create_directories(root, error);
  file_ = open_file(root / ".lock", Open::kKeep);
  if (file_ >= 0) lock_file(file_, true);
}

StoreLock::~StoreLock() {
  if (file_ >= 0) close_file(file_);
}

}  // namespace hearth_store
