// Hands out row tiles to workers: each has its own stretch of consecutive tiles, so that it can prefetch the next
// one, and takes from the stretches of others when its own is done, so that all finish together.
#pragma once

#include <atomic>
#include <cstdint>

namespace hearth {

class TileQueue {
 public:
  static constexpr int kMaxStretches = 64;

  TileQueue(int64_t n_tiles, int n_threads) {
    n_ = (n_threads < kMaxStretches) ? n_threads : kMaxStretches;
    if (n_tiles < n_) n_ = static_cast<int>(n_tiles);
    for (int i = 0; i < n_; ++i) {
      stretches_[i].next.store(n_tiles * i / n_, std::memory_order_relaxed);
      stretches_[i].end = n_tiles * (i + 1) / n_;
    }
  }

  int n_stretches() const { return n_; }

  /// Calls body(tile, next) for tiles of stretch `own`, then of the others, until none is left. `next` is the tile
  /// that probably follows, or -1.
  template <typename Body>
  void drain(int own, const Body& body) {
    for (int i = 0; i < n_; ++i) {
      Stretch& stretch = stretches_[(own + i) % n_];
      for (;;) {
        const int64_t tile = stretch.next.fetch_add(1, std::memory_order_relaxed);
        if (tile >= stretch.end) break;
        body(tile, (tile + 1 < stretch.end) ? tile + 1 : -1);
      }
    }
  }

 private:
  struct alignas(64) Stretch {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  Stretch stretches_[kMaxStretches];
  int n_ = 0;
};

}  // namespace hearth
