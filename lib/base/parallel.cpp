// Fork-join over small tasks on our own POSIX threads, on a host's pool, or on OpenMP.
//
// One 64-bit ticket says everything a worker must know: the number of the fork and the next task. A task is
// claimed by compare-and-swap, so a worker that wakes late can never take a task of another fork. The ticket is
// closed while the description of a fork is written. Waiting is brief spinning (less when it keeps failing), then
// sleep on a condition variable: an idle session burns nothing, and when a neighbor has taken a core the sleeping
// caller leaves its own to the worker that is behind.
//
// The OpenMP backend (CMake option HEARTH_OPENMP) is for hosts that use OpenMP themselves. It is off by default:
// an OpenMP runtime may end the process when it cannot start its threads, and its threads are shared with the host.
#include "lib/base/parallel.h"

#include <pthread.h>
#include <time.h>

#include <atomic>
#include <cstring>
#include <new>
#include <string>

#include "lib/base/host_pool.h"
#include "lib/base/signals.h"
#include "lib/base/spin_wait.h"

#if defined(HEARTH_OPENMP)
#include <omp.h>
#endif

namespace hearth {
namespace {

constexpr int kMaxThreads = 1024;
constexpr uint32_t kClosed = 0xffffffffu;  // no task can be claimed

/// Counts in how many generations of forked children this process is: threads stay in the parent.
std::atomic<uint32_t> n_forks{0};

uint32_t count_forks() {
#if !defined(_WIN32)
  static const int registered = pthread_atfork(nullptr, nullptr, [] { n_forks.fetch_add(1); });
  (void)registered;
#endif
  return n_forks.load(std::memory_order_relaxed);
}

constexpr uint64_t make_ticket(uint32_t fork, uint32_t next) {
  return (uint64_t{fork} << 32) | next;
}

}  // namespace

struct Parallel::Impl {
  struct Worker {
    Impl* pool = nullptr;
    int index = 0;
    pthread_t thread{};
  };

  int n_threads = 1;
  const ThreadPool* host = nullptr;
  std::unique_ptr<Worker[]> workers;
  int n_started = 0;
  const uint32_t forks_at_start = count_forks();

  alignas(64) std::atomic<uint64_t> ticket{make_ticket(0, kClosed)};
  std::atomic<const TaskRef*> task{nullptr};
  std::atomic<uint32_t> n_tasks{0};
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<uint32_t> n_done{0};
  std::atomic<int> n_sleeping{0};
  std::atomic<bool> caller_sleeps{false};
  SpinWait caller_wait;

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t forked = PTHREAD_COND_INITIALIZER;
  pthread_cond_t joined = PTHREAD_COND_INITIALIZER;

  ~Impl();
  /// Whether this is a forked child, in which the workers do not exist and the locks may be held for ever.
  bool is_inherited() const { return n_forks.load(std::memory_order_relaxed) != forks_at_start; }
  Status start();
  void open_fork(uint32_t count, const TaskRef& ref);
  void work(int worker);
  void finish(uint32_t count);
  void join(uint32_t count);
  uint32_t wait_for_fork(uint32_t seen, SpinWait& wait);
  void worker_loop(int worker);
  void run_all(int count, const TaskRef& ref);
  static void* thread_main(void* worker);
};

/// Starts the workers with every signal blocked, so that a host's handlers run on its own threads. When the system has
/// no more threads to give, those that it gave do the work.
Status Parallel::Impl::start() {
  workers.reset(new (std::nothrow) Worker[static_cast<size_t>(n_threads)]);
  if (!workers) return Error{ErrorCode::kOutOfMemory, "no memory for " + std::to_string(n_threads) + " threads"};
  const BlockedSignals blocked;
  for (int i = 1; i < n_threads; ++i) {
    Worker& worker = workers[static_cast<size_t>(i)];
    worker.pool = this;
    worker.index = i;
    if (pthread_create(&worker.thread, nullptr, thread_main, &worker) != 0) break;
    n_started = i;
  }
  n_threads = n_started + 1;
  return {};
}

Parallel::Impl::~Impl() {
  if (is_inherited()) return;
  stop.store(true);
  const TaskRef nothing([](int, int) {});
  if (n_started > 0) open_fork(0, nothing);
  for (int i = 1; i <= n_started; ++i) pthread_join(workers[static_cast<size_t>(i)].thread, nullptr);
  pthread_cond_destroy(&forked);
  pthread_cond_destroy(&joined);
  pthread_mutex_destroy(&mutex);
}

/// Publishes a fork and wakes sleepers. The previous fork is complete.
void Parallel::Impl::open_fork(uint32_t count, const TaskRef& ref) {
  const uint32_t fork = static_cast<uint32_t>(ticket.load(std::memory_order_relaxed) >> 32) + 1;
  ticket.store(make_ticket(fork - 1, kClosed));  // stale claims fail from here on
  task.store(&ref);
  n_tasks.store(count);
  n_done.store(0);
  ticket.store(make_ticket(fork, 0));
  if (n_sleeping.load() == 0) return;
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&forked);
  pthread_mutex_unlock(&mutex);
}

/// Claims and runs tasks until the fork has none left.
void Parallel::Impl::work(int worker) {
  uint32_t mine = 0;
  for (;;) {
    uint64_t t = ticket.load(std::memory_order_acquire);
    const uint32_t next = static_cast<uint32_t>(t);
    const TaskRef* ref = task.load(std::memory_order_acquire);
    if (next == kClosed || next >= n_tasks.load(std::memory_order_acquire)) break;
    if (!ticket.compare_exchange_weak(t, t + 1)) continue;
    (*ref)(static_cast<int>(next), worker);
    ++mine;
  }
  if (mine > 0) finish(mine);
}

/// Reports tasks as done; the last one wakes the caller.
void Parallel::Impl::finish(uint32_t count) {
  const uint32_t total = n_tasks.load(std::memory_order_acquire);  // cannot change before all are done
  if (n_done.fetch_add(count) + count < total || !caller_sleeps.load()) return;
  pthread_mutex_lock(&mutex);
  pthread_cond_signal(&joined);
  pthread_mutex_unlock(&mutex);
}

/// The caller's wait for the tasks that others still run.
void Parallel::Impl::join(uint32_t count) {
  const auto all_done = [&] { return n_done.load() >= count; };
  if (caller_wait.spin_until(all_done)) return;
  pthread_mutex_lock(&mutex);
  caller_sleeps.store(true);
  while (!all_done()) pthread_cond_wait(&joined, &mutex);
  caller_sleeps.store(false);
  pthread_mutex_unlock(&mutex);
}

/// Returns the number of a fork other than `seen`.
uint32_t Parallel::Impl::wait_for_fork(uint32_t seen, SpinWait& wait) {
  uint32_t fork = seen;
  const auto changed = [&] {
    const uint64_t t = ticket.load();
    fork = static_cast<uint32_t>(t >> 32);
    return fork != seen;
  };
  if (wait.spin_until(changed)) return fork;
  pthread_mutex_lock(&mutex);
  n_sleeping.fetch_add(1);
  while (!changed()) pthread_cond_wait(&forked, &mutex);
  n_sleeping.fetch_sub(1);
  pthread_mutex_unlock(&mutex);
  return fork;
}

void Parallel::Impl::worker_loop(int worker) {
  SpinWait wait;
  uint32_t seen = 0;
  for (;;) {
    seen = wait_for_fork(seen, wait);
    if (stop.load()) return;
    work(worker);
  }
}

void* Parallel::Impl::thread_main(void* worker) {
  const Worker* self = static_cast<const Worker*>(worker);
  self->pool->worker_loop(self->index);
  return nullptr;
}

/// Runs tasks that do not throw.
void Parallel::Impl::run_all(int count, const TaskRef& ref) {
  if (host != nullptr) return run_on_host(*host, n_threads, count, ref);
#if defined(HEARTH_OPENMP)
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
  for (int i = 0; i < count; ++i) ref(i, omp_get_thread_num());
#else
  open_fork(static_cast<uint32_t>(count), ref);
  work(0);
  join(static_cast<uint32_t>(count));
#endif
}

Parallel::Parallel() = default;
Parallel::~Parallel() = default;

Result<std::unique_ptr<Parallel>> Parallel::create(int n_threads, const ThreadPool* host) {
  if (host != nullptr) n_threads = host->n_threads;
  if (n_threads < 1 || n_threads > kMaxThreads) {
    return Error{ErrorCode::kInvalidArgument,
                 "n_threads = " + std::to_string(n_threads) + " is outside 1.." + std::to_string(kMaxThreads)};
  }
  if (host != nullptr && !host->run) return Error{ErrorCode::kInvalidArgument, "the host's thread pool has no run()"};
  std::unique_ptr<Parallel> parallel(new (std::nothrow) Parallel());
  if (parallel) parallel->impl_.reset(new (std::nothrow) Impl());
  if (!parallel || !parallel->impl_) return Error{ErrorCode::kOutOfMemory, "no memory for a thread pool"};
  Impl& impl = *parallel->impl_;
  impl.n_threads = n_threads;
  impl.host = host;
#if !defined(HEARTH_OPENMP)
  if (host == nullptr && n_threads > 1) {
    const Status started = impl.start();
    if (!started) return started.error();
  }
#endif
  return parallel;
}

int Parallel::n_threads() const {
  return impl_->n_threads;
}

void Parallel::run(int n_tasks, TaskRef task) {
  if (n_tasks <= 1 || impl_->n_threads == 1 || (impl_->host == nullptr && impl_->is_inherited())) {
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
  impl_->run_all(n_tasks, TaskRef(catching));
  thrown.hand_on();
#else
  impl_->run_all(n_tasks, task);
#endif
}

}  // namespace hearth
