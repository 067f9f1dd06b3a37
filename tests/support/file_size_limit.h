// A full disk without a disk: a bound on the size of files that this process may write.
#pragma once

#include <sys/resource.h>

namespace hearth::testing {

/// Makes the system refuse to write files beyond `bytes`, as a full disk does. The signal that comes with it is not
/// ignored: the library must see to that.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace hearth::testing
