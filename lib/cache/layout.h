// How large the parts of a cache are and where a layer's keys and values lie in a page: numbers alone, no memory.
//
// Layers with equal windows form a group with its own pool of pages, because a sliding window needs fewer of them. A
// page holds 64 positions of every layer of its group: for each layer the keys of all KV heads, then their values, in
// the layout of kernels/kv_types.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hearth/kv_cache.h"

namespace hearth {

/// Sizes of one layer's keys and values.
struct CacheLayer {
  int n_kv_heads = 0;
  int k_dim = 0;
  int v_dim = 0;
  int window = 0;            ///< 0: everything stays visible
  int same_as = -1;          ///< >= 0: the keys and values of that earlier layer are this one's too
  int64_t state_floats = 0;  ///< > 0: a recurrent layer, which keeps a state per sequence and no keys and values
};

struct CacheOptions {
  int64_t n_ctx = 0;
  int n_seqs = 1;
  int n_batch = 1;
  KVType k_type = KVType::kF16;
  KVType v_type = KVType::kF16;
  int n_kept_prefixes = 0;  ///< states and windows of prefixes, besides those of sequences
};

inline int64_t pages_for(int64_t positions) {
  return (positions + KVCache::kPageTokens - 1) / KVCache::kPageTokens;
}

/// Layers with the same window.
struct GroupLayout {
  int window = 0;           ///< 0: none
  int64_t n_pages = 0;      ///< of the pool
  uint64_t page_bytes = 0;  ///< of all layers of the group

  /// The first position that must stay when the next token of a sequence stands at `pos`, so that the sequence can
  /// still go back by KVCache::kRollbackTokens.
  int64_t first_kept(int64_t pos) const {
    if (window == 0) return 0;
    const int64_t first = pos - window + 1 - KVCache::kRollbackTokens;
    return first > 0 ? first : 0;
  }
};

/// Where a layer's keys and values lie in a page of its group.
struct LayerPlace {
  int group = -1;
  uint64_t offset = 0;  ///< bytes from the page's start
  uint64_t head_bytes_k = 0;
  uint64_t head_bytes_v = 0;
  int n_kv_heads = 0;
  int k_dim = 0, v_dim = 0;
  int64_t state_offset = 0;  ///< floats from the start of a sequence's state
};

struct CacheLayout {
  std::vector<GroupLayout> groups;  ///< at least one
  std::vector<LayerPlace> layers;
  int64_t state_floats = 0;  ///< of all recurrent layers of a sequence; 0: there are none

  /// Sizes were checked by read_hparams and Session::create.
  static CacheLayout make(std::span<const CacheLayer> layers, const CacheOptions& options);
};

}  // namespace hearth
