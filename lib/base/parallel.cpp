// Fork-join over small tasks on our own POSIX threads, on a host's pool, or on OpenMP.
//
// One 64-bit ticket says everything a worker must know: the number of the fork and how its tasks are given out. A fork
// of no more tasks than threads is dealt: task i is that of worker i, who takes it at its own seat, a cache line that
// nobody else writes but the caller, when it has nothing left to do and that worker has not come yet. So threads need
// not queue for one line, which with many of them takes longer than some products. More tasks are drawn from the
// ticket's counter by compare-and-swap. Either way a worker that wakes late can never take a task of another fork.
// Workers report at their seats, which the caller reads: nobody waits for another's report. Waiting is brief spinning
// (less when it keeps failing), then sleep on a condition variable: an idle session burns nothing, and when a neighbor
// has taken a core the sleeping caller leaves its own to the worker that is behind.
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

#include "lib/base/concat.h"
#include "lib/base/host_pool.h"
#include "lib/base/signals.h"
#include "lib/base/spin_wait.h"

#if defined(HEARTH_OPENMP)
#include <omp.h>
#endif

namespace hearth {
namespace {

constexpr int kMaxThreads = 1024;
constexpr uint32_t kDealt = 0x80000000u;  // plus the number of tasks: each belongs to a worker; none can be drawn
constexpr uint32_t kClosed = kDealt;      // nothing to take

/// Counts in how many generations of forked children this process is: threads stay in the parent.
std::atomic<uint32_t> n_forks{0};

uint32_t count_forks() {
#if !defined(_WIN32)
  static const int registered = pthread_atfork(nullptr, nullptr, [] { n_forks.fetch_add(1); });
  (void)registered;
#endif
  return n_forks.load(std::memory_order_relaxed);
}

/// Stores what others look for before they sleep; whether they sleep is what the caller loads next. If that load passed
/// the store, each side could miss what the other has written. An exchange is not passed even where an emulator puts no
/// barrier between ARM's store-release and load-acquire (QEMU 7.2); on x86 it is the instruction of the store.
template <typename T>
void publish(std::atomic<T>& to, T value) {
  to.exchange(value);
}

constexpr uint64_t make_ticket(uint32_t fork, uint32_t next) {
  return (uint64_t{fork} << 32) | next;
}
constexpr uint32_t fork_of(uint64_t ticket) {
  return static_cast<uint32_t>(ticket >> 32);
}

}  // namespace

struct Parallel::Impl {
  /// A worker's place.
  struct alignas(64) Seat {
    std::atomic<uint32_t> taken{0};  ///< the fork whose dealt task was taken last
    std::atomic<uint64_t> done{0};   ///< a fork, and how many of its tasks this worker has done
    Impl* pool = nullptr;
    int index = 0;
    pthread_t thread{};

    /// True once for a fork that is still the current one after the seat was read: it ends only once all dealt
    /// seats are taken, so the exchange fails when it has ended since.
    bool take(const std::atomic<uint64_t>& current, uint64_t opened) {
      uint32_t last = taken.load();
      const uint32_t fork = fork_of(opened);
      return last != fork && current.load() == opened && taken.compare_exchange_strong(last, fork);
    }
  };

  int n_threads = 1;
  const ThreadPool* host = nullptr;
  std::unique_ptr<Seat[]> seats;
  int n_started = 0;
  const uint32_t forks_at_start = count_forks();

  alignas(64) std::atomic<uint64_t> ticket{make_ticket(0, kClosed)};
  std::atomic<const TaskRef*> task{nullptr};
  std::atomic<uint32_t> n_tasks{0};  ///< of a fork whose tasks are drawn
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<int> n_sleeping{0};
  std::atomic<uint32_t> caller_sleeps{0};  // a whole word: see Thrown
  SpinWait caller_wait;

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t forked = PTHREAD_COND_INITIALIZER;
  pthread_cond_t joined = PTHREAD_COND_INITIALIZER;

  ~Impl();
  /// Whether this is a forked child, in which the workers do not exist and the locks may be held for ever.
  bool is_inherited() const { return n_forks.load(std::memory_order_relaxed) != forks_at_start; }
  Status start();
  uint64_t open_fork(uint32_t count, const TaskRef& ref);
  uint32_t draw(int worker);
  void work(int worker, uint64_t opened);
  uint32_t n_done(uint32_t fork) const;
  void join(uint32_t fork, uint32_t count);
  uint64_t wait_for_fork(uint32_t seen, SpinWait& wait);
  void worker_loop(int worker);
  void run_all(int count, const TaskRef& ref);
  static void* thread_main(void* worker);
};

/// Starts the workers with every signal blocked, so that a host's handlers run on its own threads. When the system has
/// no more threads to give, those that it gave do the work.
Status Parallel::Impl::start() {
  seats.reset(new (std::nothrow) Seat[static_cast<size_t>(n_threads)]);
  if (!seats) return Error{ErrorCode::kOutOfMemory, concat("no memory for ", n_threads, " threads")};
  const BlockedSignals blocked;
  for (int i = 1; i < n_threads; ++i) {
    Seat& seat = seats[static_cast<size_t>(i)];
    seat.pool = this;
    seat.index = i;
    if (pthread_create(&seat.thread, nullptr, thread_main, &seat) != 0) break;
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
  for (int i = 1; i <= n_started; ++i) pthread_join(seats[static_cast<size_t>(i)].thread, nullptr);
  pthread_cond_destroy(&forked);
  pthread_cond_destroy(&joined);
  pthread_mutex_destroy(&mutex);
}

/// Publishes a fork and wakes sleepers. The previous fork is complete.
uint64_t Parallel::Impl::open_fork(uint32_t count, const TaskRef& ref) {
  const uint32_t fork = fork_of(ticket.load(std::memory_order_relaxed)) + 1;
  const bool dealt = count <= static_cast<uint32_t>(n_threads);
  if (!dealt) ticket.store(make_ticket(fork - 1, kClosed));  // stale draws fail from here on
  task.store(&ref);
  if (!dealt) n_tasks.store(count);
  const uint64_t opened = make_ticket(fork, dealt ? kDealt | count : 0);
  publish(ticket, opened);
  if (n_sleeping.load() == 0) return opened;
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&forked);
  pthread_mutex_unlock(&mutex);
  return opened;
}

/// Draws and runs tasks until the fork has none left; returns their number.
uint32_t Parallel::Impl::draw(int worker) {
  for (uint32_t mine = 0;;) {
    uint64_t t = ticket.load(std::memory_order_acquire);
    const auto next = static_cast<uint32_t>(t);
    const TaskRef* ref = task.load(std::memory_order_acquire);
    if (next >= n_tasks.load(std::memory_order_acquire)) return mine;
    if (!ticket.compare_exchange_weak(t, t + 1)) continue;
    (*ref)(static_cast<int>(next), worker);
    ++mine;
  }
}

/// A worker's share of the fork that it saw opened, and its report.
void Parallel::Impl::work(int worker, uint64_t opened) {
  Seat& seat = seats[static_cast<size_t>(worker)];
  const auto low = static_cast<uint32_t>(opened);
  uint32_t mine = 0;
  if ((low & kDealt) == 0) {
    mine = draw(worker);
  } else if (static_cast<uint32_t>(worker) < (low & ~kDealt) && seat.take(ticket, opened)) {
    (*task.load())(worker, worker);  // the fork stays open, and so its task, until this one has reported
    mine = 1;
  }
  if (mine == 0) return;
  // What was drawn may be of a later fork than the one seen, but of one: it cannot end before this report.
  publish(seat.done, make_ticket(fork_of(ticket.load()), mine));
  if (caller_sleeps.load() == 0) return;
  pthread_mutex_lock(&mutex);
  pthread_cond_signal(&joined);
  pthread_mutex_unlock(&mutex);
}

/// Tasks of the fork that workers have reported.
uint32_t Parallel::Impl::n_done(uint32_t fork) const {
  uint32_t sum = 0;
  for (int i = 1; i <= n_started; ++i) {
    const uint64_t done = seats[static_cast<size_t>(i)].done.load();
    if (fork_of(done) == fork) sum += static_cast<uint32_t>(done);
  }
  return sum;
}

/// The caller's wait for the tasks that others still run.
void Parallel::Impl::join(uint32_t fork, uint32_t count) {
  const auto all_done = [&] { return n_done(fork) >= count; };
  if (caller_wait.spin_until(all_done)) return;
  pthread_mutex_lock(&mutex);
  publish(caller_sleeps, 1u);
  while (!all_done()) pthread_cond_wait(&joined, &mutex);
  caller_sleeps.store(0);
  pthread_mutex_unlock(&mutex);
}

/// Returns the ticket of a fork other than `seen`.
uint64_t Parallel::Impl::wait_for_fork(uint32_t seen, SpinWait& wait) {
  uint64_t opened = 0;
  const auto changed = [&] {
    opened = ticket.load();
    return fork_of(opened) != seen;
  };
  if (wait.spin_until(changed)) return opened;
  pthread_mutex_lock(&mutex);
  n_sleeping.fetch_add(1);
  while (!changed()) pthread_cond_wait(&forked, &mutex);
  n_sleeping.fetch_sub(1);
  pthread_mutex_unlock(&mutex);
  return opened;
}

void Parallel::Impl::worker_loop(int worker) {
  SpinWait wait;
  uint32_t seen = 0;
  for (;;) {
    const uint64_t opened = wait_for_fork(seen, wait);
    if (stop.load()) return;
    seen = fork_of(opened);
    work(worker, opened);
  }
}

void* Parallel::Impl::thread_main(void* worker) {
  const Seat* self = static_cast<const Seat*>(worker);
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
  const uint64_t opened = open_fork(static_cast<uint32_t>(count), ref);
  uint32_t mine = 0;
  if (count > n_threads) {
    mine = draw(0);
  } else {
    ref(0, 0);
    for (int i = mine = 1; i < count; ++i) {  // of those that have not come yet
      if (!seats[static_cast<size_t>(i)].take(ticket, opened)) continue;
      ref(i, 0);
      ++mine;
    }
  }
  join(fork_of(opened), static_cast<uint32_t>(count) - mine);
#endif
}

Parallel::Parallel() = default;
Parallel::~Parallel() = default;

Result<std::unique_ptr<Parallel>> Parallel::create(int n_threads, const ThreadPool* host) {
  if (host != nullptr) n_threads = host->n_threads;
  if (n_threads < 1 || n_threads > kMaxThreads) {
    return Error{ErrorCode::kInvalidArgument, concat("n_threads = ", n_threads, " is outside 1..", kMaxThreads)};
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
