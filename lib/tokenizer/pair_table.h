// PairTable: merges of a byte-pair vocabulary: (left symbol, right symbol) to rank and merged symbol.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "lib/base/heap_bytes.h"

namespace hearth {

class PairTable {
 public:
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  struct Merge {
    uint32_t rank = kNoRank;
    uint32_t symbol = 0;
  };

  void reserve(size_t n) {
    slots_.assign(std::bit_ceil(n + n / 2 + 2), Slot{});  // load at most two thirds
    shift_ = 64 - std::countr_zero(slots_.size());
  }
  /// Within the reserved number. The first entry of a pair stays.
  void insert(uint32_t left, uint32_t right, Merge merge) {
    const uint64_t key = static_cast<uint64_t>(left) << 32 | right;
    size_t i = first_slot(key);
    for (; slots_[i].merge.rank != kNoRank; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].key == key) return;
    }
    slots_[i] = {key, merge};
  }
  /// rank kNoRank when the two do not merge.
  Merge find(uint32_t left, uint32_t right) const {
    const uint64_t key = static_cast<uint64_t>(left) << 32 | right;
    for (size_t i = first_slot(key);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.key == key || slot.merge.rank == kNoRank) return slot.merge;
    }
  }

  /// Brings the row of a coming look-up or insertion into the cache.
  void prefetch(uint32_t left, uint32_t right) const {
    __builtin_prefetch(&slots_[first_slot(static_cast<uint64_t>(left) << 32 | right)]);
  }
  uint64_t memory_bytes() const { return heap_bytes(slots_); }

 private:
  struct Slot {
    uint64_t key = ~uint64_t{0};
    Merge merge{};
  };
  size_t first_slot(uint64_t key) const {
    return static_cast<size_t>((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> shift_);
  }
  std::vector<Slot> slots_{Slot{}, Slot{}};
  int shift_ = 63;
};

}  // namespace hearth
