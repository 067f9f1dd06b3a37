// The store's part of POSIX systems.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "system.h"

namespace hearth_store {
namespace {

int flags_of(Open how) {
  switch (how) {
    case Open::kRead: return O_RDONLY;
    case Open::kFolder: return O_RDONLY | O_DIRECTORY;
    case Open::kAnew: return O_WRONLY | O_CREAT | O_TRUNC;
    case Open::kNew: return O_WRONLY | O_CREAT | O_EXCL;
    case Open::kKeep: return O_RDWR | O_CREAT;
    case Open::kExisting: return O_RDWR;
    case Open::kAppend: return O_WRONLY | O_CREAT | O_APPEND;
  }
  return O_RDONLY;
}

}  // namespace

int open_file(const fs::path& path, Open how) {
  const mode_t mode = how == Open::kAppend ? 0600 : how == Open::kNew ? 0666 : 0644;
  return ::open(path.c_str(), flags_of(how) | O_CLOEXEC, mode);
}

int open_nameless(const fs::path& folder) {
#ifdef O_TMPFILE
  if (::access("/proc/self/fd", X_OK) != 0) return -1;  // the way to give it a name
  return ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#else
  return -1;
#endif
}

bool name_file(int file, const fs::path& name) {
  const std::string unnamed = "/proc/self/fd/" + std::to_string(file);
  return ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

void close_file(int file) {
  ::close(file);
}

bool write_file(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool flush_file(int file) {
  return ::fsync(file) == 0;
}

bool lock_file(int file, bool wait) {
  return ::flock(file, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0;
}

bool cut_file(int file, uint64_t size) {
  return ::ftruncate(file, static_cast<off_t>(size)) == 0 && ::lseek(file, 0, SEEK_END) >= 0;
}

uint64_t go_to_end(int file) {
  return static_cast<uint64_t>(std::max<off_t>(::lseek(file, 0, SEEK_END), 0));
}

bool share_blocks(const fs::path& from, const fs::path& to) {
#ifdef FICLONE
  const int in = open_file(from, Open::kRead);
  const int out = open_file(to, Open::kAnew);
  const bool shared = in >= 0 && out >= 0 && ::ioctl(out, FICLONE, in) == 0;
  if (in >= 0) ::close(in);
  if (out >= 0) ::close(out);
  return shared;
#else
  return (void)from, (void)to, false;
#endif
}

std::string inode_of(const fs::path& path) {
  struct stat of {};
  if (::stat(path.c_str(), &of) != 0) return {};
  return std::to_string(of.st_dev) + " " + std::to_string(of.st_ino);
}

std::string identity_of(const fs::path& path) {
  struct stat of {};
  if (::stat(path.c_str(), &of) != 0) return {};
  return std::to_string(of.st_size) + " " + std::to_string(of.st_mtim.tv_sec) + "." +
         std::to_string(of.st_mtim.tv_nsec) + " " + std::to_string(of.st_dev) + " " + std::to_string(of.st_ino);
}

int64_t process_id() {
  return ::getpid();
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string home_folder() {
  return environment("HOME");
}

uint64_t memory_limit() {
  constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnknown;
  return limit.rlim_cur;
}

std::tm local_time(std::time_t time) {
  std::tm parts{};
  ::localtime_r(&time, &parts);
  return parts;
}

}  // namespace hearth_store
