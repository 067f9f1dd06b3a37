// Hands out row tiles to workers: each has its own partition of consecutive tiles, so that it can prefetch the next
// one, and takes from the partitions of others when its own is done, so that all finish together.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>

namespace hearth {

class TileQueue {
 public:
  static constexpr int kMaxPartitions = 256;

  TileQueue(int64_t n_tiles, int n_threads) {
    n_ = count(n_tiles, n_threads);
    for (int i = 0; i < n_; ++i) {
      ::new (&room_[i].partition) Partition{{begin(n_tiles, n_threads, i)}, begin(n_tiles, n_threads, i + 1)};
    }
  }

  /// Number of partitions.
  static int count(int64_t n_tiles, int n_threads) {
    const int64_t n = (n_threads < kMaxPartitions) ? n_threads : kMaxPartitions;
    return static_cast<int>((n_tiles < n) ? n_tiles : n);
  }
  /// First tile of partition i, 0 <= i <= count.
  static int64_t begin(int64_t n_tiles, int n_threads, int i) { return n_tiles * i / count(n_tiles, n_threads); }

  int n_partitions() const { return n_; }

  /// Calls body(tile, next) for tiles of partition `own`, then of the others, until none is left. `next` is the tile
  /// that probably follows, or -1.
  template <typename Body>
  void drain(int own, const Body& body) {
    for (int i = 0; i < n_; ++i) {
      Partition& partition = room_[(own + i) % n_].partition;
      // Looked at first: of many partitions most are done, and an addition would take their lines from one core to the
      // next.
      while (partition.next.load(std::memory_order_relaxed) < partition.end) {
        const int64_t tile = partition.next.fetch_add(1, std::memory_order_relaxed);
        if (tile >= partition.end) break;
        body(tile, (tile + 1 < partition.end) ? tile + 1 : -1);
      }
    }
  }

 private:
  struct alignas(64) Partition {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  /// A partition is made only where it is used: a queue is short-lived.
  union Room {
    Room() {}
    Partition partition;
  };
  Room room_[kMaxPartitions];
  int n_ = 0;
};

}  // namespace hearth
