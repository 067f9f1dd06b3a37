// Threads that come as they are needed, up to a limit, and go when they have been idle for a second: allocators keep
// small blocks for each thread, of more and more sizes the longer it lives.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace hearth_server {

class WorkerPool {
 public:
  explicit WorkerPool(size_t max_threads) : max_threads_(max_threads) {}
  ~WorkerPool() { join(); }
  WorkerPool(const WorkerPool&) = delete;

  /// Runs a task, which must not throw, as soon as a thread is free.
  void run(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (n_idle_ >= tasks_.size() || n_threads_ >= max_threads_) return changed_.notify_one();
    ++n_threads_;
    try {
      std::thread([this] { work(); }).detach();
    } catch (...) {  // no more threads to be had: the ones there are will come to it
      --n_threads_;
    }
  }

  /// Waits until every task is done and every thread has gone.
  void join() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    gone_.wait(lock, [this] { return n_threads_ == 0; });
  }

  /// Waits until no task runs or waits, at most so long.
  bool wait_idle(double seconds) {
    std::unique_lock lock(mutex_);
    return gone_.wait_for(lock, std::chrono::duration<double>(seconds),
                          [this] { return tasks_.empty() && n_idle_ == n_threads_; });
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++n_idle_;
      gone_.notify_all();
      const bool woken =
          changed_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_ || !tasks_.empty(); });
      --n_idle_;
      if (tasks_.empty() && (ending_ || !woken)) break;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = {};
      lock.lock();
    }
    --n_threads_;
    gone_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_, gone_;
  std::deque<std::function<void()>> tasks_;
  size_t max_threads_, n_threads_ = 0, n_idle_ = 0;
  bool ending_ = false;
};

}  // namespace hearth_server
