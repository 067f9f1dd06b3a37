// How attention over long contexts is split along the KV positions (Flash-Decoding, Dao et al. 2023). The splits are
// fixed, so results do not depend on threads.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace hearth {

/// Pages of one KV split: each split has its own running softmax; splits are merged in order.
inline constexpr int kPagesPerSplit = 8;

/// KV splits of a sequence of n positions.
inline constexpr int64_t kv_splits(int64_t n) {
  constexpr int64_t kPositions = int64_t{kPagesPerSplit} * kernels::kPageTokens;
  return (n + kPositions - 1) / kPositions;
}

/// FloatArray of a running softmax state of nq queries: max and sum [nq], acc [nq, v_dim].
inline constexpr int64_t attention_state_floats(int64_t nq, int64_t v_dim) {
  return nq * (v_dim + 2);
}

}  // namespace hearth
