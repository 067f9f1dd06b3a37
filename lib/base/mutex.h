// A lock, which is nothing where a build has no threads (HEARTH_THREADS=OFF).
#pragma once

#if !defined(HEARTH_NO_THREADS)
#include <mutex>
#endif

namespace hearth {

#if defined(HEARTH_NO_THREADS)
class Mutex {
 public:
  void lock() {}
  void unlock() {}
};
#else
using Mutex = std::mutex;
#endif

/// Holds a lock until the end of the scope.
class MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace hearth
