// A model of how work is shared out: the threads of a session as clocks, and the cache lines through which they agree
// on who does what as resources that one core has at a time. It follows lib/base/parallel.cpp and
// lib/matmul/tile_queue.h step by step, so that machines of many cores can be looked at from a small one.
//
//   ScheduleModel model(64);
//   model.serial(900);                   // the caller alone, nanoseconds
//   model.tiles(std::vector(192, 5e4));  // row tiles of a product, the time of each
//   EXPECT_GT(model.kernel_share(), 0.9);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "lib/matmul/tile_queue.h"

namespace hearth {

/// Nanoseconds that threads need to agree. The defaults are those of a large server processor, on which a line takes 50
/// to 120 ns from one core to another (Schweizer, Besta and Hoefler, "Evaluating the cost of atomic operations on
/// modern architectures", 2015, found 60 to 100 within a socket).
struct LineCosts {
  double move = 100;   ///< a line comes from the core that wrote it last
  double reader = 10;  ///< each further line, or each further core that reads a line, while the first is on its way
  double own = 6;      ///< an atomic operation on a line that the core has
};

class ScheduleModel {
 public:
  explicit ScheduleModel(int n_threads, const LineCosts& costs = {})
      : costs_(costs), busy_(static_cast<size_t>(n_threads), 0.0) {}

  /// The caller computes alone.
  void serial(double ns) { now_ = compute(0, now_, ns); }

  /// Parallel::run over tasks that take so long.
  void tasks(std::span<const double> ns) {
    if (ns.size() <= 1 || n_threads() == 1) return alone(ns);
    fork(
        ns.size() <= busy_.size(), [&](int thread, double now, size_t task) { return compute(thread, now, ns[task]); },
        ns.size());
  }

  /// The same over row tiles in a TileQueue: each worker has a part of its own, and then helps others.
  void tiles(std::span<const double> ns) {
    const auto n = static_cast<int64_t>(ns.size());
    const int n_parts = TileQueue::count(n, n_threads());
    if (n_parts <= 1) return alone(ns);
    parts_.assign(static_cast<size_t>(n_parts), {});
    for (int i = 0; i < n_parts; ++i) {
      parts_[static_cast<size_t>(i)].next = TileQueue::begin(n, n_threads(), i);
      parts_[static_cast<size_t>(i)].end = TileQueue::begin(n, n_threads(), i + 1);
    }
    tiles_ = ns;
    fork(true, nullptr, parts_.size());
  }

  int n_threads() const { return static_cast<int>(busy_.size()); }
  double now_ns() const { return now_; }
  double busy_ns(int thread) const { return busy_[static_cast<size_t>(thread)]; }
  double wait_ns(int thread) const { return now_ - busy_ns(thread); }
  /// Time in serial parts, tasks and tiles, of all the time that all threads had.
  double kernel_share() const {
    double sum = 0;
    for (double busy : busy_) sum += busy;
    return now_ > 0 ? sum / (now_ * static_cast<double>(busy_.size())) : 1.0;
  }

 private:
  /// A cache line that cores change in turn.
  struct Line {
    double free_ns = 0;
    int owner = -1;
  };
  struct Part {
    Line line;
    int64_t next = 0, end = 0;
  };
  struct Worker {
    bool draining = false, began = false;
    int64_t visited = 0;  ///< parts of the queue
  };
  using Task = std::function<double(int, double, size_t)>;
  using Event = std::pair<double, int>;  ///< when a thread goes on

  double change(Line& line, int thread, double now) const {
    const double begin = std::max(now, line.free_ns);
    line.free_ns = begin + (line.owner == thread ? costs_.own : costs_.move);
    line.owner = thread;
    return line.free_ns;
  }

  double compute(int thread, double now, double ns) {
    busy_[static_cast<size_t>(thread)] += ns;
    return now + ns;
  }

  void alone(std::span<const double> ns) {
    for (double one : ns) serial(one);
  }

  /// One step of TileQueue::drain; false when nothing is left.
  bool drain_step(Worker& worker, int thread, double& now) {
    Part& part = parts_[(static_cast<size_t>(thread) + static_cast<size_t>(worker.visited)) % parts_.size()];
    if (part.next >= part.end) {  // seen without taking the line; many such looks are on their way at once
      now += costs_.reader;
    } else {
      now = change(part.line, thread, now);
      now = compute(thread, now, tiles_[static_cast<size_t>(part.next++)]);
      return true;
    }
    return ++worker.visited < static_cast<int64_t>(parts_.size());
  }

  /// `run` is empty for the lanes of a queue. Dealt tasks are taken at each worker's seat, others drawn from the
  /// ticket.
  void fork(bool dealt, const Task& run, size_t n_tasks) {
    std::vector<Worker> workers(busy_.size());
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
    const double opened = now_ + costs_.move * (dealt ? 1 : 2);  // a line is taken from all who watch it
    Line ticket{opened, 0};
    for (int w = 0; w < n_threads(); ++w) {
      events.push({w == 0 ? opened : opened + costs_.move + w * costs_.reader, w});
    }
    size_t next = 0;
    double caller = opened, last_report = opened;
    while (!events.empty()) {
      auto [now, thread] = events.top();
      events.pop();
      Worker& worker = workers[static_cast<size_t>(thread)];
      bool more = false;
      if (worker.draining) {
        more = worker.draining = drain_step(worker, thread, now);
      } else if (dealt) {
        if (static_cast<size_t>(thread) >= n_tasks) continue;
        now += costs_.move;  // the seat, which the caller has looked at
        if (run) {
          now = run(thread, now, static_cast<size_t>(thread));
        } else {
          more = worker.draining = true;
        }
        worker.began = true;
      } else if (next < n_tasks) {
        now = change(ticket, thread, change(ticket, thread, now));  // read, then exchanged
        if (next < n_tasks) {
          now = run(thread, now, next++);
          worker.began = true;
        }
        more = true;
      }
      if (more) {
        events.push({now, thread});
      } else if (thread == 0) {
        caller = now;
      } else if (worker.began) {
        last_report = std::max(last_report, now);
      }
    }
    // The caller has looked at every seat when the last one reports.
    now_ = std::max(caller + costs_.reader * static_cast<double>(busy_.size()), last_report) + costs_.move;
  }

  LineCosts costs_;
  double now_ = 0;
  std::vector<double> busy_;
  std::vector<Part> parts_;
  std::span<const double> tiles_;
};

}  // namespace hearth
