// In place of parallel.cpp and cpu_topology.cpp where the library starts no threads (HEARTH_THREADS=OFF): tasks run on
// the caller's, or on a host's pool.
#include <new>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/host_pool.h"
#include "lib/base/parallel.h"

namespace hearth {

struct Parallel::Impl {
  int n_threads = 1;
  const ThreadPool* host = nullptr;
};

Parallel::Parallel() = default;
Parallel::~Parallel() = default;

Result<std::unique_ptr<Parallel>> Parallel::create(int n_threads, const ThreadPool* host) {
  if (host != nullptr) n_threads = host->n_threads;
  if (n_threads < 1) {
    return Error{ErrorCode::kInvalidArgument, concat("n_threads = ", n_threads, " is less than 1")};
  }
  if (host != nullptr && !host->run) return Error{ErrorCode::kInvalidArgument, "the host's thread pool has no run()"};
  std::unique_ptr<Parallel> parallel(new (std::nothrow) Parallel());
  if (parallel) parallel->impl_.reset(new (std::nothrow) Impl());
  if (!parallel || !parallel->impl_) return Error{ErrorCode::kOutOfMemory, "no memory for a thread pool"};
  parallel->impl_->n_threads = host != nullptr ? n_threads : 1;
  parallel->impl_->host = host;
  return parallel;
}

int Parallel::n_threads() const {
  return impl_->n_threads;
}

void Parallel::run(int n_tasks, TaskRef task) {
  if (n_tasks <= 1 || impl_->n_threads == 1) {
    for (int i = 0; i < n_tasks; ++i) task(i, 0);
    return;
  }
#if defined(__cpp_exceptions)
  Thrown thrown;
  const auto catching = [&](int i, int worker) {
    try {
      task(i, worker);
    } catch (...) {
      thrown.keep();
    }
  };
  run_on_host(*impl_->host, impl_->n_threads, n_tasks, TaskRef(catching));
  thrown.hand_on();
#else
  run_on_host(*impl_->host, impl_->n_threads, n_tasks, task);
#endif
}

int default_thread_count() {
  return 1;
}

}  // namespace hearth
