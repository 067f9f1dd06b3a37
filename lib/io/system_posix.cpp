// Files of POSIX systems.
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "lib/io/system.h"

namespace hearth::sys {
namespace {

constexpr size_t kMostBytes = size_t{1} << 30;  // Linux moves at most 2 GiB - 4 KiB in one call

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

/// call() again while a signal interrupts it.
template <typename Call>
int64_t uninterrupted(const Call& call) {
  for (;;) {
    const int64_t done = call();
    if (done >= 0 || errno != EINTR) return done;
  }
}

bool take(const struct stat& from, FileInfo* info) {
  info->is_regular = S_ISREG(from.st_mode);
  info->is_folder = S_ISDIR(from.st_mode);
  info->bytes = static_cast<uint64_t>(from.st_size);
#if defined(__APPLE__)
  info->changed_seconds = from.st_mtimespec.tv_sec;
  info->changed_nanoseconds = from.st_mtimespec.tv_nsec;
#else
  info->changed_seconds = from.st_mtim.tv_sec;
  info->changed_nanoseconds = from.st_mtim.tv_nsec;
#endif
  return true;
}

}  // namespace

int open_to_read(const std::string& path) {
  // O_NONBLOCK has no effect on regular files.
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}
int create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}
int create_nameless(const std::string& folder) {
#if defined(O_TMPFILE)
  if (::access("/proc/self/fd", X_OK) == 0) return ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#else
  (void)folder;
#endif
  return -1;
}
bool give_name(int fd, const std::string& name) {
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}
int close(int fd) {
  return ::close(fd);
}

bool describe(int fd, FileInfo* info) {
  struct stat found {};
  return ::fstat(fd, &found) == 0 && take(found, info);
}
bool describe(const std::string& path, FileInfo* info) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && take(found, info);
}

int64_t read(int fd, void* bytes, size_t n) {
  return uninterrupted([&] { return ::read(fd, bytes, std::min(n, kMostBytes)); });
}
int64_t read_at(int fd, void* bytes, size_t n, uint64_t offset) {
  return uninterrupted([&] { return ::pread(fd, bytes, std::min(n, kMostBytes), static_cast<off_t>(offset)); });
}
int64_t write(int fd, const void* bytes, size_t n) {
  const HeldSizeSignal held;
  return uninterrupted([&] { return ::write(fd, bytes, std::min(n, kMostBytes)); });
}
int64_t write_at(int fd, const void* bytes, size_t n, uint64_t offset) {
  const HeldSizeSignal held;
  return uninterrupted([&] { return ::pwrite(fd, bytes, std::min(n, kMostBytes), static_cast<off_t>(offset)); });
}

bool replace(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str()) == 0;
}
void remove(const std::string& path) {
  ::unlink(path.c_str());
}
std::string resolve(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string text(resolved);
  std::free(resolved);
  return text;
}
int64_t process_id() {
  return ::getpid();
}

const std::byte* map(int fd, size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<const std::byte*>(mapped);
}
void unmap(const std::byte* mapped, size_t bytes) {
  ::munmap(const_cast<std::byte*>(mapped), bytes);
}
#if defined(__linux__)
bool map_cached(const std::byte* mapped, size_t bytes) {
  constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ of Linux 5.14, which older headers do not name
  constexpr size_t kPiece = size_t{4} << 20;
  const auto waited_for_disk = [] {  // how often this thread has
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_majflt;
  };
  const auto begin = reinterpret_cast<uintptr_t>(mapped) / page_bytes() * page_bytes();
  const uintptr_t end = reinterpret_cast<uintptr_t>(mapped) + bytes;
  const auto before = waited_for_disk();
  for (uintptr_t at = begin; at < end; at += kPiece) {
    if (::madvise(reinterpret_cast<void*>(at), std::min<size_t>(kPiece, end - at), kPopulateRead) != 0) return false;
    if (waited_for_disk() != before) return false;
  }
  return true;
}
#else
bool map_cached(const std::byte*, size_t) {
  return false;
}
#endif
size_t page_bytes() {
  const long size = ::sysconf(_SC_PAGESIZE);
  return size > 0 ? static_cast<size_t>(size) : 4096;
}

}  // namespace hearth::sys
