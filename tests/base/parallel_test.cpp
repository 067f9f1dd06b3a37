// The pool: every task once, distinct workers, many forks, hosts' pools.
#include "lib/base/parallel.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hearth {
namespace {

std::unique_ptr<Parallel> make(int n_threads, const ThreadPool* host = nullptr) {
  auto parallel = Parallel::create(n_threads, host);
  EXPECT_TRUE(parallel.ok());
  return std::move(*parallel);
}

TEST(Parallel, RunsEveryTaskOnce) {
  for (int n_threads : {1, 2, 3, 8}) {
    const auto parallel = make(n_threads);
    EXPECT_EQ(parallel->n_threads(), n_threads);
    for (int n_tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(n_tasks));
      parallel->run(n_tasks, [&](int task, int) { runs[static_cast<size_t>(task)].fetch_add(1); });
      for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
    }
  }
}

TEST(Parallel, WorkersThatRunAtTheSameTimeAreDistinct) {
  const auto parallel = make(4);
  std::vector<std::atomic<int>> busy(4);
  std::atomic<int> clashes{0};
  for (int round = 0; round < 200; ++round) {
    parallel->run(16, [&](int, int worker) {
      if (busy[static_cast<size_t>(worker)].exchange(1) != 0) clashes.fetch_add(1);
      for (int i = 0; i < 50; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      busy[static_cast<size_t>(worker)].store(0);
    });
  }
  EXPECT_EQ(clashes.load(), 0);
}

TEST(Parallel, WritesOfTasksAreSeenAfterTheJoin) {
  const auto parallel = make(3);
  std::vector<int> values(64);  // not atomic: the fork and the join must order them
  for (int round = 1; round <= 20000; ++round) {
    parallel->run(64, [&](int task, int) { values[static_cast<size_t>(task)] += round % 3; });
  }
  for (int value : values) EXPECT_EQ(value, values[0]);
  EXPECT_EQ(values[0], 20001);
}

TEST(Parallel, WakesAfterSleeping) {
  const auto parallel = make(3);
  std::atomic<int> total{0};
  for (int round = 0; round < 5; ++round) {
    usleep(3000);
    parallel->run(3, [&](int, int) {
      usleep(1000);
      total.fetch_add(1);
    });
  }
  EXPECT_EQ(total.load(), 15);
}

TEST(Parallel, SeveralPoolsMayRunAtTheSameTime) {
  std::vector<std::thread> users;
  std::atomic<int> total{0};
  for (int u = 0; u < 3; ++u) {
    users.emplace_back([&] {
      const auto parallel = make(2);
      for (int round = 0; round < 500; ++round) parallel->run(4, [&](int, int) { total.fetch_add(1); });
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(total.load(), 3 * 500 * 4);
}

TEST(Parallel, UsesAHostsPool) {
  std::atomic<int> forks{0};
  ThreadPool host;
  host.n_threads = 3;
  host.run = [&](int n_tasks, const std::function<void(int)>& task) {
    forks.fetch_add(1);
    std::vector<std::thread> threads;
    for (int i = 0; i < n_tasks; ++i) threads.emplace_back([&task, i] { task(i); });
    for (std::thread& t : threads) t.join();
  };
  const auto parallel = make(99, &host);
  EXPECT_EQ(parallel->n_threads(), 3);
  std::vector<std::atomic<int>> runs(100);
  std::atomic<bool> in_range{true};
  parallel->run(100, [&](int task, int worker) {
    runs[static_cast<size_t>(task)].fetch_add(1);
    if (worker < 0 || worker >= 3) in_range = false;
  });
  for (const auto& r : runs) EXPECT_EQ(r.load(), 1);
  EXPECT_TRUE(in_range.load());
  EXPECT_EQ(forks.load(), 1);
}

TEST(Parallel, AHostsPoolMayRunItsTasksOneAfterTheOther) {
  ThreadPool host;
  host.n_threads = 4;
  host.run = [](int n_tasks, const std::function<void(int)>& task) {
    for (int i = 0; i < n_tasks; ++i) task(i);
  };
  int total = 0;
  make(1, &host)->run(10, [&](int task, int) { total += task; });
  EXPECT_EQ(total, 45);
}

TEST(Parallel, FewTasksAreDoneOnceEachWhoeverComesLate) {
  const auto parallel = make(8);                          // more than this machine may have cores: some are always late
  for (int n_tasks = 1; n_tasks <= 9; ++n_tasks) {        // dealt, and with the last drawn
    std::vector<int> runs(static_cast<size_t>(n_tasks));  // not atomic: each is one thread's, and the join orders them
    for (int round = 0; round < 2000; ++round) {
      parallel->run(n_tasks, [&](int task, int worker) {
        if (worker < 0 || worker >= 8) return;
        ++runs[static_cast<size_t>(task)];
      });
    }
    for (int count : runs) EXPECT_EQ(count, 2000);
  }
}

TEST(Parallel, TheCallerDoesTheTasksOfThoseThatSleep) {
  const auto parallel = make(4);
  for (int round = 0; round < 20; ++round) {
    usleep(2000);  // the others sleep by now
    std::atomic<int> total{0};
    parallel->run(4, [&](int, int) { total.fetch_add(1); });
    EXPECT_EQ(total.load(), 4);
  }
}

TEST(Parallel, RefusesImpossibleCounts) {
  for (int n : {0, -3, 1 << 20}) {
    const auto parallel = Parallel::create(n);
    ASSERT_FALSE(parallel.ok());
    EXPECT_EQ(parallel.error().code, ErrorCode::kInvalidArgument);
  }
  ThreadPool empty;
  EXPECT_FALSE(Parallel::create(1, &empty).ok());
}

}  // namespace
}  // namespace hearth
