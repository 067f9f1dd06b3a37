// Fork-join over small tasks: the only place where threads are started. A pool belongs to a session.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "hearth/result.h"
#include "hearth/threads.h"

namespace hearth {

/// A borrowed callable void(int task, int worker): no allocation. worker is in [0, n_threads) and distinct
/// among tasks that run at the same time, so it may index per-thread scratch.
class TaskRef {
 public:
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, TaskRef>>>
  TaskRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* o, int task, int worker) { (*static_cast<std::remove_reference_t<F>*>(o))(task, worker); }) {}
  void operator()(int task, int worker) const { call_(object_, task, worker); }

 private:
  void* object_;
  void (*call_)(void*, int, int);
};

/// A pool of threads. Tasks are handed out dynamically from one counter; the caller works too. Workers wait
/// briefly for the next fork, then sleep. What a task computes must not depend on who runs it.
class Parallel {
 public:
  /// With fewer threads than asked for when the system gives no more: see n_threads(). `host`, if not null, is used
  /// instead and must outlive it. kInvalidArgument; kOutOfMemory.
  static Result<std::unique_ptr<Parallel>> create(int n_threads, const ThreadPool* host = nullptr);
  ~Parallel();
  int n_threads() const;
  /// Runs task 0..n_tasks-1; returns when all are done, and throws then what one of them threw. Not reentrant.
  void run(int n_tasks, TaskRef task);

 private:
  Parallel();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
