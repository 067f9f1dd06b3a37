// Threads: how many are worth using, and a host's own pool in place of hearth's.
//
//   auto run = [&](int n, const std::function<void(int)>& task) { mine.run(n, task); };
//   hearth::ThreadPool pool{.n_threads = 4, .run = run};
//   auto session = hearth::Session::create(*model, {.pool = &pool});
#pragma once

#include <functional>

namespace hearth {

/// Threads worth using: physical (performance) cores this process may run on, limited by the cgroup's CPU
/// quota. At least 1, which is also the answer when memory is out.
int default_thread_count();

/// A host's own thread pool. `run(n_tasks, task)` must call task(i) exactly once for every i in
/// [0, n_tasks) and return when all are done; calls may be concurrent. `n_threads` is its width. When it throws, no
/// task may run any more; the call of hearth that needed it then ends with kCancelled.
struct ThreadPool {
  int n_threads = 1;
  std::function<void(int n_tasks, const std::function<void(int)>& task)> run;
};

}  // namespace hearth
