// Attention of a few queries to one page of a KV type of blocks, as attention_page.h does it for plain types. Compiled
// per way of storing codes, apart for keys and for values.
//
// Scores: queries become 16-bit codes with a scale per 32 elements, and products of codes are summed exactly in 32
// bits: 32 * 32767 * 255 is below 2^31. What that adds to the error of a score is below that of rounding keys to
// halves. Values: weights are multiplied with the scales first, then codes are converted and added as floats.
#pragma once

#include "kernels/half.h"
#include "kernels/simd/attention_lines.h"
#include "kernels/simd/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// 32 elements of a query, less where it ends.
struct QueryBlock {
  alignas(64) int32_t pairs[kKvBlock / 2];
  int32_t code_sum;
  float scale;
};

inline Floats load_some(const float* p, int64_t n) {
  return n >= kLanes ? load(p) : n > 0 ? load_n(p, n) : zero();
}
/// n elements of each of n_q rows, `stride` apart, to rows `to_stride` apart.
__attribute__((noinline)) void copy_rows(float* to, int64_t to_stride, const float* from, int64_t stride, int n_q,
                                         int64_t n) {
  for (int i = 0; i < n_q; ++i) {
    for (int64_t d = 0; d < n; ++d) to[i * to_stride + d] = from[i * stride + d];
  }
}

__attribute__((noinline)) void encode_query_block(QueryBlock& block, const float* q, int64_t n) {
  constexpr float kCodes = 32767.0f;
  Floats x[kBlockVectors], largest = zero();
  for (int v = 0; v < kBlockVectors; ++v) {
    x[v] = load_some(q + v * kLanes, n - v * kLanes);
    largest = max_magnitude(x[v], largest);
  }
  const float magnitude = max_lanes(largest);
  block.scale = magnitude / kCodes;
  const Floats inverse = splat(magnitude > 1e-30f ? kCodes / magnitude : 0.0f);
  Ints sum = zero_ints();
  for (int v = 0; v < kBlockVectors; v += 2) {
    const Ints even = to_ints(mul(even_lanes(x[v], x[v + 1]), inverse));
    const Ints odd = to_ints(mul(odd_lanes(x[v], x[v + 1]), inverse));
    const Ints pairs = make_pairs(even, odd);
    store_ints(block.pairs + v / 2 * kLanes, pairs);
    sum = dot_pairs(sum, pairs, splat_int(0x00010001));
  }
  block.code_sum = static_cast<int32_t>(sum_lanes(to_floats(sum)));  // below 2^24: exact
}

/// Adds block b's share to scores [kQ, 64]; with b = 0 it is what they begin with.
template <int kQ, KvCodes kCodes>
inline void score_block(float* scores, const QueryBlock* q, const BlockPage& page, int64_t b, NextLines& next) {
  constexpr int kVectors = kQ == 1 ? 4 : 2;  // of tokens
  for (int t = 0; t < kPageTokens; t += kVectors * kLanes) {
    Ints sum[kQ][kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] = splat_int(-page.spec.offset * q[i].code_sum);
    }
    for_each_pair<kCodes, kVectors>(page.words(b) + t, page.fifth_bits(b) + t,
                                    [&](int pair, const Ints(&codes)[kVectors]) {
                                      next.line();
#pragma GCC unroll 4
                                      for (int i = 0; i < kQ; ++i) {
                                        const Ints two = splat_int(q[i].pairs[pair]);
#pragma GCC unroll 4
                                        for (int j = 0; j < kVectors; ++j)
                                          sum[i][j] = dot_pairs(sum[i][j], codes[j], two);
                                      }
                                    });
    const uint16_t* minimums = page.minimums(b);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const Floats scale = load_half(page.scales(b) + t + j * kLanes);
      const Floats minimum = minimums != nullptr ? load_half(minimums + t + j * kLanes) : zero();
#pragma GCC unroll 4
      for (int i = 0; i < kQ; ++i) {
        float* to = scores + i * kPageTokens + t + j * kLanes;
        Floats total = b == 0 ? zero() : load(to);
        total = fma(mul(to_floats(sum[i][j]), splat(q[i].scale)), scale, total);
        if (minimums != nullptr) total = fma(splat(q[i].scale * static_cast<float>(q[i].code_sum)), minimum, total);
        store(to, total);
      }
    }
  }
}

/// scores[kQ, 64] = q_i . k_t.
template <int kQ, KvCodes kCodes>
__attribute__((noinline)) void score_page_blocks(float* scores, const float* q, KvType type, const void* keys,
                                                 int64_t k_dim, NextLines next) {
  const BlockPage page(type, keys, k_dim);
  for (int64_t b = 0; b < page.places.blocks; ++b) {
    QueryBlock codes[kQ];
    const int64_t d = b * kKvBlock;
    for (int i = 0; i < kQ; ++i) encode_query_block(codes[i], q + i * k_dim + d, k_dim - d);
    score_block<kQ, kCodes>(scores, codes, page, b, next);
  }
}

/// weights[kQ, 64] = p_it * scale_t for `tokens`, 0 for others; offsets[i] = sum of p_it * minimum_t.
template <int kQ>
inline void weigh_scales(float* weights, float* offsets, const float* p, const BlockPage& page, int64_t b,
                         uint64_t tokens) {
  const uint16_t* minimums = page.minimums(b);
  Floats offset[kQ];
  for (int i = 0; i < kQ; ++i) offset[i] = zero();
  for (int t = 0; t < kPageTokens; t += kLanes) {
    const Mask held = lanes_of_bits(tokens >> t);
    const Floats scale = select(held, load_half(page.scales(b) + t), zero());
    for (int i = 0; i < kQ; ++i) store(weights + i * kPageTokens + t, mul(load(p + i * kPageTokens + t), scale));
    if (minimums == nullptr) continue;
    const Floats minimum = select(held, load_half(minimums + t), zero());
    for (int i = 0; i < kQ; ++i) offset[i] = fma(load(p + i * kPageTokens + t), minimum, offset[i]);
  }
  for (int i = 0; i < kQ; ++i) offsets[i] = minimums != nullptr ? sum_lanes(offset[i]) : 0.0f;
}

/// acc_i = acc_i * keep_i + sum over `tokens` of p_it v_t for kQ queries.
template <int kQ, KvCodes kCodes>
__attribute__((noinline)) void add_value_blocks(float* acc, KvType type, int64_t v_dim, const float* keep,
                                                const float* p, const void* values, uint64_t tokens, NextLines next) {
  const BlockPage page(type, values, v_dim);
  const KvCodeTable numbers = kv_code_table(type);
  const CodeTable table = make_code_table(numbers.value);
  for (int64_t b = 0; b < page.places.blocks; ++b) {
    alignas(64) float weights[kQ * kPageTokens];
    float offsets[kQ];
    weigh_scales<kQ>(weights, offsets, p, page, b, tokens);
    alignas(64) float last[kQ * kKvBlock] = {};  // sums of a block that v_dim does not fill
    const int64_t n = v_dim - b * kKvBlock;
    float* const own = acc + b * kKvBlock;
    if (n < kKvBlock) copy_rows(last, kKvBlock, own, v_dim, kQ, n);
    float* const at = n < kKvBlock ? last : own;
    const int64_t stride = n < kKvBlock ? kKvBlock : v_dim;
    Floats sum[kQ][kBlockVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kBlockVectors; ++j) {
        sum[i][j] = fma(load(at + i * stride + j * kLanes), splat(keep[i]), splat(offsets[i]));
      }
    }
    for (uint64_t rest = tokens; rest != 0; rest &= rest - 1) {
      const int64_t t = __builtin_ctzll(rest);
      next.line();
      Floats x[kBlockVectors];
      value_codes<kCodes>(x, page, t, b, table);
#pragma GCC unroll 4
      for (int i = 0; i < kQ; ++i) {
        const Floats weight = splat(weights[i * kPageTokens + t]);
#pragma GCC unroll 4
        for (int j = 0; j < kBlockVectors; ++j) sum[i][j] = fma(weight, x[j], sum[i][j]);
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kQ; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kBlockVectors; ++j) store(at + i * stride + j * kLanes, sum[i][j]);
    }
    if (n < kKvBlock) copy_rows(own, v_dim, last, kKvBlock, kQ, n);
  }
}

/// Queries of one call: as many as registers hold sums of.
constexpr int kScoreQueries = 4;
constexpr int kValueQueries = kLanes == 16 ? 4 : 2;

template <KvCodes kCodes>
inline void score_queries(float* scores, const float* q, int nq, KvType type, const void* keys, int64_t k_dim,
                          NextLines next) {
  int64_t i = 0;
  for (; i + kScoreQueries <= nq; i += kScoreQueries) {
    score_page_blocks<kScoreQueries, kCodes>(scores + i * kPageTokens, q + i * k_dim, type, keys, k_dim, next);
  }
  for (; i < nq; ++i) score_page_blocks<1, kCodes>(scores + i * kPageTokens, q + i * k_dim, type, keys, k_dim, next);
}

template <KvCodes kCodes>
inline void add_values_of_queries(float* acc, int nq, KvType type, int64_t v_dim, const float* keep, const float* p,
                                  const void* values, uint64_t tokens, NextLines next) {
  int64_t i = 0;
  for (; i + kValueQueries <= nq; i += kValueQueries) {
    add_value_blocks<kValueQueries, kCodes>(acc + i * v_dim, type, v_dim, keep + i, p + i * kPageTokens, values, tokens,
                                            next);
  }
  for (; i < nq; ++i) {
    add_value_blocks<1, kCodes>(acc + i * v_dim, type, v_dim, keep + i, p + i * kPageTokens, values, tokens, next);
  }
}

inline void score_blocks(float* scores, const float* q, int nq, KvType type, const void* keys, int64_t k_dim,
                         NextLines next) {
  switch (kv_block_spec(type).codes) {
    case KvCodes::kNibbles: return score_queries<KvCodes::kNibbles>(scores, q, nq, type, keys, k_dim, next);
    case KvCodes::kFiveBits: return score_queries<KvCodes::kFiveBits>(scores, q, nq, type, keys, k_dim, next);
    case KvCodes::kTable: return score_queries<KvCodes::kTable>(scores, q, nq, type, keys, k_dim, next);
    default: return score_queries<KvCodes::kBytes>(scores, q, nq, type, keys, k_dim, next);
  }
}

inline void add_values_of_blocks(float* acc, int nq, KvType type, int64_t v_dim, const float* keep, const float* p,
                                 const void* values, uint64_t tokens, NextLines next) {
  switch (kv_block_spec(type).codes) {
    case KvCodes::kBytes:
      return add_values_of_queries<KvCodes::kBytes>(acc, nq, type, v_dim, keep, p, values, tokens, next);
    case KvCodes::kFiveBits:
      return add_values_of_queries<KvCodes::kFiveBits>(acc, nq, type, v_dim, keep, p, values, tokens, next);
    default:  // tables, too
      return add_values_of_queries<KvCodes::kNibbles>(acc, nq, type, v_dim, keep, p, values, tokens, next);
  }
}

}  // namespace
}  // namespace hearth::kernels
