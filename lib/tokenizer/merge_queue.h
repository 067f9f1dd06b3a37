// Merging of neighboring symbols, best pair first, leftmost of equals first: the loop that byte-pair and
// SentencePiece vocabularies share. Short words scan for the best pair; long ones keep the pairs in a heap, so that a
// word of n characters costs O(n log n).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace hearth {

/// A run of characters that is one symbol at present.
struct MergeSymbol {
  uint32_t id;     ///< what the rule knows it by
  uint32_t begin;  ///< offset of its first byte
  uint32_t size;   ///< bytes; 0: merged into its left neighbor
};

/// A Rule offers
///   using Priority = ...;                    smaller merges earlier
///   bool find(const MergeSymbol& left, const MergeSymbol& right, Priority& priority, uint32_t& merged) const;
template <typename Rule>
class MergeQueue {
 public:
  explicit MergeQueue(const Rule& rule) : rule_(rule) {}

  /// Merges `symbols` in place until no pair merges; what is left has size > 0 and is moved to the front.
  void merge(std::vector<MergeSymbol>& symbols) {
    if (symbols.size() < 2) return;
    if (symbols.size() <= kScanLimit) {
      merge_by_scan(symbols);
    } else {
      merge_by_heap(symbols);
    }
  }

 private:
  static constexpr size_t kScanLimit = 64;
  using Priority = typename Rule::Priority;
  struct Pair {
    Priority priority;
    uint32_t merged;
    bool valid;
  };
  struct Waiting {
    Priority priority;
    uint32_t left, right;  // indices of symbols
    uint32_t size;         // bytes of both: an entry whose symbols have changed since does not fit
    uint32_t merged;
    bool operator<(const Waiting& other) const {  // heap order: the best comes first
      return priority != other.priority ? other.priority < priority : left > other.left;
    }
  };

  Pair look_up(const MergeSymbol& left, const MergeSymbol& right) const {
    Pair pair{};
    pair.valid = rule_.find(left, right, pair.priority, pair.merged);
    return pair;
  }

  void merge_by_scan(std::vector<MergeSymbol>& symbols) {
    Pair pairs[kScanLimit];  // pairs[i]: symbols i and i + 1
    size_t n = symbols.size();
    for (size_t i = 0; i + 1 < n; ++i) pairs[i] = look_up(symbols[i], symbols[i + 1]);
    while (true) {
      size_t best = n;
      for (size_t i = 0; i + 1 < n; ++i) {
        if (pairs[i].valid && (best == n || pairs[i].priority < pairs[best].priority)) best = i;
      }
      if (best == n) break;
      symbols[best].id = pairs[best].merged;
      symbols[best].size += symbols[best + 1].size;
      for (size_t i = best + 1; i + 1 < n; ++i) {
        symbols[i] = symbols[i + 1];
        pairs[i - 1] = pairs[i];
      }
      --n;
      if (best > 0) pairs[best - 1] = look_up(symbols[best - 1], symbols[best]);
      if (best + 1 < n) pairs[best] = look_up(symbols[best], symbols[best + 1]);
    }
    symbols.resize(n);
  }

  void push(const std::vector<MergeSymbol>& symbols, uint32_t left, uint32_t right) {
    const Pair pair = look_up(symbols[left], symbols[right]);
    if (!pair.valid) return;
    heap_.push_back({pair.priority, left, right, symbols[left].size + symbols[right].size, pair.merged});
    std::push_heap(heap_.begin(), heap_.end());
  }

  void merge_by_heap(std::vector<MergeSymbol>& symbols) {
    constexpr uint32_t kNone = 0xFFFFFFFF;
    const auto n = static_cast<uint32_t>(symbols.size());
    previous_.resize(n);
    next_.resize(n);
    heap_.clear();
    for (uint32_t i = 0; i < n; ++i) {
      previous_[i] = i == 0 ? kNone : i - 1;
      next_[i] = i + 1 == n ? kNone : i + 1;
    }
    for (uint32_t i = 0; i + 1 < n; ++i) push(symbols, i, i + 1);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Waiting top = heap_.back();
      heap_.pop_back();
      MergeSymbol& left = symbols[top.left];
      MergeSymbol& right = symbols[top.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != top.size) continue;
      left.id = top.merged;
      left.size += right.size;
      right.size = 0;
      next_[top.left] = next_[top.right];
      if (next_[top.right] != kNone) previous_[next_[top.right]] = top.left;
      if (previous_[top.left] != kNone) push(symbols, previous_[top.left], top.left);
      if (next_[top.left] != kNone) push(symbols, top.left, next_[top.left]);
    }
    std::erase_if(symbols, [](const MergeSymbol& symbol) { return symbol.size == 0; });
  }

  const Rule& rule_;
  std::vector<Waiting> heap_;
  std::vector<uint32_t> previous_, next_;
};

}  // namespace hearth
