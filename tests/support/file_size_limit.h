// A full disk without a disk: a bound on the size of files that this process may write.
#pragma once

#if !defined(_WIN32)
#include <sys/resource.h>
#endif

namespace hearth::testing {

#if defined(_WIN32)
/// Windows has no such bound: tests that need one are skipped.
class FileSizeLimit {
 public:
  static constexpr bool kIsThere = false;
  explicit FileSizeLimit(unsigned long long /*bytes*/) {}
};
#else

/// Makes the system refuse to write files beyond `bytes`, as a full disk does. The signal that comes with it is not
/// ignored: the library must see to that.
class FileSizeLimit {
 public:
  static constexpr bool kIsThere = true;
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};
#endif

}  // namespace hearth::testing
