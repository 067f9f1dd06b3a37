// Signals kept away from the library's threads, where the system has signals.
#pragma once

#include <signal.h>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace hearth {

/// While it lives, every signal is blocked in the calling thread and in those that it starts, so that a host's handlers
/// run on the host's own threads.
class BlockedSignals {
 public:
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
#if defined(_WIN32)
  BlockedSignals() {}
  ~BlockedSignals() {}
#else
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    masked_ = pthread_sigmask(SIG_SETMASK, &all, &before_) == 0;
  }
  ~BlockedSignals() {
    if (masked_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_;
  bool masked_ = false;
#endif
};

}  // namespace hearth
