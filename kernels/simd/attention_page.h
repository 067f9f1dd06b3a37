// Attention of a few queries to one page in f32, in the vocabulary of <isa>/simd.h. Scores: lanes are tokens, up to
// four queries share each converted vector of keys; values: lanes are elements of the head. Every query sees the
// same operations in the same order whatever the others are. The equations stand in reference/attention.cpp.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/cells.h"
#include "kernels/simd/math.h"

namespace hearth::kernels {
namespace {

constexpr int kBlockQueries = 4;
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;  // of tokens or elements, beside kBlockQueries accumulators each

/// scores[i][64 tokens] = q_i . k_t for kQ queries.
template <int kQ, CellType kType>
inline void score_tokens(float* scores, const float* q, const KvPage& page, int k_dim, const void* next) {
  for (int64_t t = 0; t < kPageTokens; t += kTileVectors * kLanes) {
    Floats sum[kQ][kTileVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) sum[i][j] = zero();
    }
    for (int64_t d = 0; d < k_dim; ++d) {
      if (t == 0) {  // once for all tiles
        __builtin_prefetch(cell_address(next, kType, d * kPageTokens), 0, 2);
        if constexpr (kType == CellType::kF32) {
          __builtin_prefetch(cell_address(next, kType, d * kPageTokens + 16), 0, 2);
        }
        __builtin_prefetch(cell_address(next, kType, d * kPageTokens + 32), 0, 2);
      }
      Floats k[kTileVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) k[j] = load_cells<kType>(page.k, d * kPageTokens + t + j * kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < kQ; ++i) {
        const Floats element = splat(q[i * int64_t{k_dim} + d]);
#pragma GCC unroll 4
        for (int j = 0; j < kTileVectors; ++j) sum[i][j] = fma(element, k[j], sum[i][j]);
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) store(scores + i * kPageTokens + t + j * kLanes, sum[i][j]);
    }
  }
}

/// acc_i[kVectors vectors from element d] = acc_i * keep_i + sum over `tokens` of p_it v_t.
template <int kQ, int kVectors, CellType kType>
inline void add_values(float* acc, int64_t v_dim, const float* keep, const float* p, const KvPage& page, int64_t d,
                       uint64_t tokens, int64_t last) {
  const void* v = page.v;
  const void* next = page.next != nullptr ? page.next : v;
  Floats sum[kQ][kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const float* from = acc + i * v_dim + d + j * kLanes;
      sum[i][j] = mul(j + 1 == kVectors ? load_up_to(from, last) : load(from), splat(keep[i]));
    }
  }
  for (uint64_t left = tokens; left != 0; left &= left - 1) {
    const int64_t t = __builtin_ctzll(left);
    __builtin_prefetch(cell_address(next, kType, t * v_dim + d), 0, 2);
    if constexpr (kVectors > 1)
      __builtin_prefetch(cell_address(next, kType, t * v_dim + d + kVectors * kLanes / 2), 0, 2);
    Floats value[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const int64_t at = t * v_dim + d + j * kLanes;
      value[j] = j + 1 == kVectors ? load_cells_up_to<kType>(v, at, last) : load_cells<kType>(v, at);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
      const Floats weight = splat(p[i * kPageTokens + t]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] = fma(weight, value[j], sum[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      float* to = acc + i * v_dim + d + j * kLanes;
      if (j + 1 == kVectors) {
        store_up_to(to, sum[i][j], last);
      } else {
        store(to, sum[i][j]);
      }
    }
  }
}

template <int kQ, CellType kType>
inline void add_all_values(float* acc, int64_t v_dim, const float* keep, const float* p, const KvPage& page,
                           uint64_t tokens) {
  int64_t d = 0;
  for (; d + kTileVectors * kLanes <= v_dim; d += kTileVectors * kLanes) {
    add_values<kQ, kTileVectors, kType>(acc, v_dim, keep, p, page, d, tokens, kLanes);
  }
  for (; d < v_dim; d += kLanes) {
    add_values<kQ, 1, kType>(acc, v_dim, keep, p, page, d, tokens, v_dim - d < kLanes ? v_dim - d : kLanes);
  }
}

/// Turns the scores of one query into weights exp(s - max), in place; 0 where it sees nothing. Updates max and sum;
/// returns exp(old max - new max). False when no score is above -inf: then nothing has changed but the scores.
inline bool weigh(float* scores, float* max_so_far, float* sum, float* keep, uint64_t visible, const float* alibi,
                  float cap) {
  constexpr float kInfinity = __builtin_inff();
  const Floats low = splat(-kInfinity);
  Floats largest = splat(*max_so_far);
  float distance = 0;
  for (int64_t t = 0; t < kPageTokens; t += kLanes) {
    Floats s = load(scores + t);
    if (cap > 0) s = mul(splat(cap), tanh(div(s, splat(cap))));
    if (alibi != nullptr) {
      alignas(64) float offset[kLanes];
      for (int j = 0; j < kLanes; ++j) {
        distance = alibi[1] + static_cast<float>(t + j);
        offset[j] = alibi[0] * distance;
      }
      s = add(s, load(offset));
    }
    s = select(lanes_of_bits(visible >> t), s, low);
    largest = max(s, largest);  // skips NaN
    store(scores + t, s);
  }
  const float new_max = max_lanes(largest);
  if (new_max == -kInfinity) return false;
  const Floats top = splat(new_max);
  Floats total = zero();
  for (int64_t t = 0; t < kPageTokens; t += kLanes) {
    const Floats p = exp(sub(load(scores + t), top));
    total = add(total, p);
    store(scores + t, p);
  }
  alignas(64) float scale[kLanes];
  store(scale, exp(splat(*max_so_far - new_max)));
  *keep = *max_so_far == -kInfinity ? 0.0f : scale[0];
  *sum = *sum * *keep + sum_lanes(total);
  *max_so_far = new_max;
  return true;
}

template <int kQ, CellType kKey, CellType kValue>
inline void attend_block(const AttentionState& state, int64_t first, const float* q, const KvPage& page,
                         const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch) {
  uint64_t tokens = 0;
  for (int i = 0; i < kQ; ++i) tokens |= visible[first + i];
  if (tokens == 0) return;
  score_tokens<kQ, kKey>(scratch, q + first * shape.k_dim, page, shape.k_dim, page.v);
  float keep[kQ];
  for (int64_t i = 0; i < kQ; ++i) {
    float* scores = scratch + i * kPageTokens;
    keep[i] = 1.0f;
    if (!weigh(scores, &state.max[first + i], &state.sum[first + i], &keep[i], visible[first + i],
               alibi != nullptr ? alibi + 2 * (first + i) : nullptr, shape.soft_cap)) {
      for (int64_t t = 0; t < kPageTokens; t += kLanes) store(scores + t, zero());
    }
  }
  add_all_values<kQ, kValue>(state.acc + first * shape.v_dim, shape.v_dim, keep, scratch, page, tokens);
}

template <CellType kKey, CellType kValue>
inline void attend_page_cells(const AttentionState& state, const float* q, int nq, const KvPage& page,
                              const AttentionShape& shape, const uint64_t* visible, const float* alibi,
                              float* scratch) {
  int64_t i = 0;
  for (; i + kBlockQueries <= nq; i += kBlockQueries) {
    attend_block<kBlockQueries, kKey, kValue>(state, i, q, page, shape, visible, alibi, scratch);
  }
  if (i + 2 <= nq) {
    attend_block<2, kKey, kValue>(state, i, q, page, shape, visible, alibi, scratch);
    i += 2;
  }
  if (i < nq) attend_block<1, kKey, kValue>(state, i, q, page, shape, visible, alibi, scratch);
}

template <CellType kKey>
inline void attend_page_keys(const AttentionState& state, const float* q, int nq, const KvPage& page,
                             const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch) {
  switch (shape.v_type) {
    case CellType::kF32:
      return attend_page_cells<kKey, CellType::kF32>(state, q, nq, page, shape, visible, alibi, scratch);
    case CellType::kF16:
      return attend_page_cells<kKey, CellType::kF16>(state, q, nq, page, shape, visible, alibi, scratch);
    case CellType::kBF16:
      return attend_page_cells<kKey, CellType::kBF16>(state, q, nq, page, shape, visible, alibi, scratch);
  }
}

inline void attend_page_f32(const AttentionState& state, const float* q, int nq, const KvPage& page,
                            const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch) {
  switch (shape.k_type) {
    case CellType::kF32: return attend_page_keys<CellType::kF32>(state, q, nq, page, shape, visible, alibi, scratch);
    case CellType::kF16: return attend_page_keys<CellType::kF16>(state, q, nq, page, shape, visible, alibi, scratch);
    case CellType::kBF16: return attend_page_keys<CellType::kBF16>(state, q, nq, page, shape, visible, alibi, scratch);
  }
}

}  // namespace
}  // namespace hearth::kernels
