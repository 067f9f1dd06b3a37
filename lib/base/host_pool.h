// Tasks on a host's pool, and what tasks throw: for builds with threads of our own and without.
#pragma once

#include <atomic>
#include <exception>

#include "lib/base/parallel.h"

namespace hearth {

/// Lanes of the host's pool stand for workers: lane i is called once, so its index is distinct; lanes draw tasks
/// from one counter.
inline void run_on_host(const ThreadPool& host, int n_threads, int count, const TaskRef& ref) {
  std::atomic<int> next{0};
  const struct Job {
    std::atomic<int>& next;
    int count;
    const TaskRef& ref;
  } job{next, count, ref};
  const Job* shared = &job;  // one pointer: std::function stores it without allocating
  host.run(count < n_threads ? count : n_threads, [shared](int lane) {
    for (int i; (i = shared->next.fetch_add(1)) < shared->count;) shared->ref(i, lane);
  });
}

#if defined(__cpp_exceptions)
/// What a task threw, carried from its thread to the one that waits for all of them.
class Thrown {
 public:
  /// In a catch block: the first exception is kept.
  void keep() {
    if (any_.exchange(1) == 0) what_ = std::current_exception();
  }
  void hand_on() const {
    if (what_) std::rethrow_exception(what_);
  }

 private:
  std::atomic<int> any_{0};  // a whole word: some processors exchange nothing smaller without libatomic
  std::exception_ptr what_;
};
#endif

}  // namespace hearth
