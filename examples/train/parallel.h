// Tasks that several threads take as they come.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace train {

/// Runs task(i, thread) for every i below n, each once; thread is below n_threads. Tasks do not throw.
template <typename Task>
void for_each(size_t n, int n_threads, const Task& task) {
  std::atomic<size_t> next{0};
  const auto work = [&](size_t thread) {
    for (size_t i = next++; i < n; i = next++) task(i, thread);
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < n_threads; ++t) threads.emplace_back(work, static_cast<size_t>(t));
  work(0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace train
