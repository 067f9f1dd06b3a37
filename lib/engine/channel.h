// What lies between the engine's thread and the reader of a request: a queue of events, and the wish to cancel.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "hearth/engine.h"
#include "lib/base/no_memory.h"

namespace hearth {

/// Shared by a ticket and the engine.
class EventChannel {
 public:
  void push(EngineEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  /// No event will follow.
  void close() noexcept {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }
  /// Memory is out, even for an event that says so: the reader learns it once the events before are taken.
  void fail() noexcept {
    const std::lock_guard lock(mutex_);
    closed_ = failed_ = true;
    changed_.notify_one();
  }
  /// Waits for an event, at most `seconds` if that is not negative. Nothing, with `waiting` false: all were taken.
  std::optional<EngineEvent> take(double seconds, bool& waiting) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return closed_ || !events_.empty(); };
    if (seconds < 0) {
      changed_.wait(lock, ready);
    } else {
      changed_.wait_for(lock, std::chrono::duration<double>(seconds), ready);
    }
    waiting = !ready();
    if (events_.empty()) return failure();
    EngineEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  std::atomic<bool> cancelled{false};

 private:
  /// What fail() left, once. Its message needs no memory of its own.
  std::optional<EngineEvent> failure() {
    if (!failed_) return std::nullopt;
    failed_ = false;
    EngineEvent event{.kind = EngineEvent::Kind::kDone};
    event.status = Error{ErrorCode::kOutOfMemory, kNoMemory};
    return event;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<EngineEvent> events_;
  bool closed_ = false, failed_ = false;
};

}  // namespace hearth
