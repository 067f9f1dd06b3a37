// How attention over long contexts is cut into pieces. The cut is fixed, so results do not depend on threads.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace hearth {

/// Pages of one piece: each piece has its own running softmax; pieces are merged in order.
inline constexpr int kPagesPerPiece = 8;

/// Pieces of a sequence of n positions.
inline constexpr int64_t attention_pieces(int64_t n) {
  constexpr int64_t kPositions = int64_t{kPagesPerPiece} * kernels::kPageTokens;
  return (n + kPositions - 1) / kPositions;
}

/// Floats of a running softmax state of nq queries: max and sum [nq], acc [nq, v_dim].
inline constexpr int64_t attention_state_floats(int64_t nq, int64_t v_dim) {
  return nq * (v_dim + 2);
}

}  // namespace hearth
