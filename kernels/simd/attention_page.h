// Attention of a few queries to one page in f32, in the vocabulary of <isa>/simd.h. Scores: lanes are tokens, up to
// four queries share each converted vector of keys; values: lanes are elements of the head. Every query sees the
// same operations in the same order whatever the others are. The equations stand in reference/attention.cpp.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/attention_blocks.h"
#include "kernels/simd/kv_types.h"
#include "kernels/simd/math.h"

namespace hearth::kernels {
namespace {

constexpr int kBlockQueries = 4;
/// Most vectors of tokens or elements, beside kBlockQueries accumulators each: all registers but the few that feed
/// them. With two (AVX2), eight sums would have to be added to every four cycles, which is what one addition takes.
constexpr int kTileVectors = kVectorRegisters == 32 ? 4 : 3;

/// Calls f.template operator()<vectors>(first) for pieces of n vectors, none of them single unless n is 1.
template <typename F>
inline void for_each_tile(int64_t n, F&& f) {
  for (int64_t at = 0; at < n;) {
    const int64_t left = n - at;
    if (left >= kTileVectors && left != kTileVectors + 1) {
      f.template operator()<kTileVectors>(at);
      at += kTileVectors;
    } else if (kTileVectors > 3 && left >= 3) {
      f.template operator()<3>(at);
      at += 3;
    } else if (left >= 2) {
      f.template operator()<2>(at);
      at += 2;
    } else {
      f.template operator()<1>(at);
      at += 1;
    }
  }
}

/// To be called once for a tile's vectors of one row.
template <KvType kType>
inline void prefetch_row(NextLines& next) {
  constexpr int64_t kLines = (kv_position_bytes(kType, kTileVectors * kLanes) + 63) / 64;
#pragma GCC unroll 4
  for (int64_t i = 0; i < kLines; ++i) next.line();
}

/// scores[i][tokens of kVectors vectors from t on] = q_i . k_t for kQ queries.
template <int kQ, int kVectors, KvType kType, typename Type>
inline void score_tokens(float* scores, const float* q, const void* keys, int64_t k_dim, int64_t t, NextLines& next) {
  Floats sum[kQ][kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = zero();
  }
  for (int64_t d = 0; d < k_dim; ++d) {
    prefetch_row<kType>(next);
    Floats k[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) k[j] = Type::key(keys, k_dim, d, t + j * kLanes);
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
      const Floats element = splat(q[i * k_dim + d]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] = fma(element, k[j], sum[i][j]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(scores + i * kPageTokens + t + j * kLanes, sum[i][j]);
  }
}

/// acc_i[kVectors vectors from element d] = acc_i * keep_i + sum over `tokens` of p_it v_t. `lanes`: of each vector.
template <int kQ, int kVectors, KvType kType, typename Type>
inline void add_values(float* acc, int64_t v_dim, const float* keep, const float* p, const void* values, int64_t d,
                       uint64_t tokens, int64_t lanes, NextLines& next) {
  Floats sum[kQ][kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = mul(load_up_to(acc + i * v_dim + d + j * kLanes, lanes), splat(keep[i]));
    }
  }
  for (uint64_t left = tokens; left != 0; left &= left - 1) {
    const int64_t t = __builtin_ctzll(left);
    prefetch_row<kType>(next);
    Floats value[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) value[j] = Type::value_up_to(values, v_dim, t, d + j * kLanes, lanes);
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
    for (int j = 0; j < kVectors; ++j) store_up_to(acc + i * v_dim + d + j * kLanes, sum[i][j], lanes);
  }
}

/// acc_i = acc_i * keep_i + sum over `tokens` of p_it v_t for kQ queries.
template <int kQ, KvType kType, typename Type>
__attribute__((noinline)) void add_all_values(float* acc, int64_t v_dim, const float* keep, const float* p,
                                              const void* values, uint64_t tokens, NextLines next) {
  for_each_tile(v_dim / kLanes, [&]<int kVectors>(int64_t vector) {
    add_values<kQ, kVectors, kType, Type>(acc, v_dim, keep, p, values, vector * kLanes, tokens, kLanes, next);
  });
  const int64_t last = v_dim % kLanes;
  if (last != 0) add_values<kQ, 1, kType, Type>(acc, v_dim, keep, p, values, v_dim - last, tokens, last, next);
}

/// Applies the soft cap and alibi to the scores of one query, makes those that it does not see -inf, and returns the
/// largest (NaN skipped).
inline float mask_scores(float* scores, uint64_t visible, const float* alibi, float cap) {
  const Floats low = splat(-__builtin_inff());
  Floats largest = low;
  if (visible == ~uint64_t{0} && alibi == nullptr && !(cap > 0)) {
    for (int64_t t = 0; t < kPageTokens; t += kLanes) largest = max(load(scores + t), largest);
    return max_lanes(largest);
  }
  for (int64_t t = 0; t < kPageTokens; t += kLanes) {
    Floats s = load(scores + t);
    if (cap > 0) s = mul(splat(cap), tanh(div(s, splat(cap))));
    if (alibi != nullptr) {
      alignas(64) float offset[kLanes];
      for (int j = 0; j < kLanes; ++j) offset[j] = alibi[0] * (alibi[1] + static_cast<float>(t + j));
      s = add(s, load(offset));
    }
    s = select(lanes_of_bits(visible >> t), s, low);
    largest = max(s, largest);
    store(scores + t, s);
  }
  return max_lanes(largest);
}

/// Turns scores into weights exp(score - top), in place; returns their sum.
inline float weigh(float* scores, float top) {
  Floats total = zero();
  for (int64_t t = 0; t < kPageTokens; t += kLanes) {
    const Floats p = exp(sub(load(scores + t), splat(top)));
    total = add(total, p);
    store(scores + t, p);
  }
  return sum_lanes(total);
}

/// The softmax of kQ queries over this page joins what they had: scores become weights (0 for a query that sees
/// nothing), keep[i] = exp(old maximum - new one). Stage by stage for all queries, whose long dependent chains then
/// overlap.
template <int kQ>
__attribute__((noinline)) void join_softmax(float* scores, float* keep, float* max_so_far, float* sum,
                                            const uint64_t* visible, const float* alibi, float cap) {
  constexpr float kInfinity = __builtin_inff();
  static_assert(kQ <= kLanes);
  float top[kQ];
  alignas(64) float lanes[kLanes] = {};
  for (int64_t i = 0; i < kQ; ++i) {
    const float here =
        mask_scores(scores + i * kPageTokens, visible[i], alibi != nullptr ? alibi + 2 * i : nullptr, cap);
    top[i] = here > max_so_far[i] ? here : max_so_far[i];
    lanes[i] = max_so_far[i] == -kInfinity ? -kInfinity : max_so_far[i] - top[i];
  }
  store(lanes, exp(load(lanes)));
  for (int64_t i = 0; i < kQ; ++i) {
    keep[i] = lanes[i];
    if (top[i] == -kInfinity) {
      keep[i] = 1.0f;
      for (int64_t t = 0; t < kPageTokens; t += kLanes) store(scores + i * kPageTokens + t, zero());
      continue;
    }
    sum[i] = sum[i] * keep[i] + weigh(scores + i * kPageTokens, top[i]);
    max_so_far[i] = top[i];
  }
}

/// scores[kQ, 64] = q_i . k_t.
template <int kQ, KvType kType, typename Type>
__attribute__((noinline)) void score_page(float* scores, const float* q, const void* keys, int64_t k_dim,
                                          NextLines next) {
  for_each_tile(kPageTokens / kLanes, [&]<int kVectors>(int64_t vector) {
    score_tokens<kQ, kVectors, kType, Type>(scores, q, keys, k_dim, vector * kLanes, next);
  });
}

/// Attention's part of a plain KV type: scores and weighted sums of 1, 2 and kBlockQueries queries.
struct PageKernels {
  using Score = decltype(&score_page<1, KvType::kF32, KvF32>);
  using AddValues = decltype(&add_all_values<1, KvType::kF32, KvF32>);
  Score score[3];
  AddValues add_values[3];
};

template <KvType kType, typename Type>
inline constexpr PageKernels kPageKernelsOf = {
    {score_page<1, kType, Type>, score_page<2, kType, Type>, score_page<kBlockQueries, kType, Type>},
    {add_all_values<1, kType, Type>, add_all_values<2, kType, Type>, add_all_values<kBlockQueries, kType, Type>}};

constexpr PageKernels kPageKernels[] = {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) kPageKernelsOf<KvType::k##Name, Kv##Name>,
#define HEARTH_KV_BLOCK_TYPE(Name, name, block_size, block_bytes)
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
};

template <int kQ>
inline void attend_block(const AttentionState& state, int64_t first, const float* q, const KvPage& page,
                         const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch) {
  constexpr int kIndex = kQ / 2;
  uint64_t tokens = 0;
  for (int i = 0; i < kQ; ++i) tokens |= visible[first + i];
  if (tokens == 0) return;
  const NextLines values(page.v, kv_page_bytes(shape.v_type, shape.v_dim));
  if (is_plain(shape.k_type)) {
    const auto score = kPageKernels[static_cast<int>(shape.k_type)].score[kIndex];
    score(scratch, q + first * shape.k_dim, page.k, shape.k_dim, values);
  } else {
    score_blocks(scratch, q + first * shape.k_dim, kQ, shape.k_type, page.k, shape.k_dim, values);
  }
  float keep[kQ];
  join_softmax<kQ>(scratch, keep, state.max + first, state.sum + first, visible + first,
                   alibi != nullptr ? alibi + 2 * first : nullptr, shape.soft_cap);
  const NextLines next(page.next, kv_page_bytes(shape.k_type, shape.k_dim));
  float* acc = state.acc + first * shape.v_dim;
  if (is_plain(shape.v_type)) {
    const auto add_values = kPageKernels[static_cast<int>(shape.v_type)].add_values[kIndex];
    add_values(acc, shape.v_dim, keep, scratch, page.v, tokens, next);
  } else {
    add_values_of_blocks(acc, kQ, shape.v_type, shape.v_dim, keep, scratch, page.v, tokens, next);
  }
}

inline void attend_page_f32(const AttentionState& state, const float* q, int nq, const KvPage& page,
                            const AttentionShape& shape, const uint64_t* visible, const float* alibi, float* scratch) {
  static_assert(kBlockQueries == 4);
  int64_t i = 0;
  for (; i + kBlockQueries <= nq; i += kBlockQueries) {
    attend_block<kBlockQueries>(state, i, q, page, shape, visible, alibi, scratch);
  }
  if (i + 2 <= nq) {
    attend_block<2>(state, i, q, page, shape, visible, alibi, scratch);
    i += 2;
  }
  if (i < nq) attend_block<1>(state, i, q, page, shape, visible, alibi, scratch);
}

}  // namespace
}  // namespace hearth::kernels
