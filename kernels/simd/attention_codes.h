// 16-bit codes of queries, keys and values for attention_run.h, and the layout of its scratch.
//
// Limits keep every sum of products below 2^31: k_dim * query_codes^2 for scores, 64 * kWeightCodes * kValueCodes for
// values. Codes lie in pairs, (2i, 2i + 1) in one 32-bit lane.
#pragma once

#include "kernels/simd/attention_slots.h"

namespace hearth::kernels {
namespace {

constexpr int kQueryVectors = 2;
constexpr int kTileQueries = kQueryVectors * kLanes;
constexpr int kPagePairs = kPageTokens / 2;
constexpr float kWeightCodes = 8191.0f;
constexpr float kValueCodes = 4095.0f;

constexpr int kTileRows = 6;  // arrays of a tile that have one number per query

/// Running state of one tile of queries; a lane is a query.
struct QueryTile {
  float* scale;   ///< [kTileQueries] of the codes
  float* max;     ///< [kTileQueries]
  float* sum;     ///< [kTileQueries]
  float* first;   ///< [kTileQueries] range of slots seen
  float* end;     ///< [kTileQueries]
  float* bounds;  ///< lowest first, highest first, lowest end, highest end
  float* acc;     ///< [v_padded, kTileQueries]
  int32_t* q;     ///< [k_pairs, kTileQueries] codes
};

/// Sizes and places of one call.
struct RunScratch {
  int64_t k_pairs, v_padded;
  int n_tiles;
  float query_codes;  ///< largest code of queries and keys
  float* scores;      ///< [64, kTileQueries]
  int32_t* weights;   ///< [32, kTileQueries] codes
  int32_t* k;         ///< [k_pairs, 64] codes
  float* k_scale;     ///< [64]
  int32_t* v;         ///< [32, v_padded] codes
  float* v_scale;     ///< [v_padded]
  float* decoded;     ///< [64 max(k_dim, v_dim)] a page's keys or values as floats
  float* tiles;
};

inline int32_t* as_ints(float* p) {
  return static_cast<int32_t*>(static_cast<void*>(p));
}

inline RunScratch carve_scratch(void* memory, int nq, const AttentionShape& shape) {
  RunScratch s{};
  s.k_pairs = (shape.k_dim + 1) / 2;
  s.v_padded = (shape.v_dim + 15) / 16 * 16;
  s.n_tiles = (nq + kTileQueries - 1) / kTileQueries;
  const float limit = __builtin_sqrtf(2147483000.0f / static_cast<float>(2 * s.k_pairs));
  s.query_codes = static_cast<float>(static_cast<int32_t>(limit < 32767.0f ? limit : 32767.0f));
  float* p = static_cast<float*>(memory);
  const auto take = [&p](int64_t n) {
    float* at = p;
    p += n;
    return at;
  };
  s.scores = take(kPageTokens * kTileQueries);
  s.weights = as_ints(take(kPagePairs * kTileQueries));
  s.k = as_ints(take(s.k_pairs * kPageTokens));
  s.k_scale = take(kPageTokens);
  s.v = as_ints(take(kPagePairs * s.v_padded));
  s.v_scale = take(s.v_padded);
  s.decoded = take(kPageTokens * (shape.k_dim > shape.v_dim ? shape.k_dim : shape.v_dim));
  s.tiles = p;
  return s;
}

inline QueryTile tile_at(const RunScratch& s, int index) {
  float* p = s.tiles + index * kTileQueries * (kTileRows + s.v_padded + s.k_pairs);
  const auto row = [p](int64_t i) { return p + i * kTileQueries; };
  return {row(0), row(1), row(2), row(3), row(4), row(5), row(kTileRows), as_ints(row(kTileRows + s.v_padded))};
}

/// codes / largest; 0 for 0.
inline Floats inverse_scale(Floats largest, float codes) {
  const Floats inverse = min(splat(3e38f), div(splat(codes), largest));
  return select(less(zero(), largest), inverse, zero());
}

/// Codes of one query into its lane. False when an element is not finite or too large.
inline bool encode_query(const RunScratch& s, const QueryTile& tile, int lane, const float* q, int64_t k_dim) {
  Floats largest = zero();
  for_each_vector(k_dim, [&](int64_t d, int64_t n) { largest = max_magnitude(load_up_to(q + d, n), largest); });
  if (!all_below(largest, kLargestElement)) return false;
  const float magnitude = max_lanes(largest);
  const Floats inverse = inverse_scale(splat(magnitude), s.query_codes);
  tile.scale[lane] = magnitude / s.query_codes;
  alignas(64) int32_t codes[kLanes];
  for_each_vector(k_dim, [&](int64_t d, int64_t n) {
    store_ints(codes, to_ints(mul(load_up_to(q + d, n), inverse)));  // 0 beyond the query
    for (int64_t j = 0; j < n; j += 2) {
      const uint32_t low = static_cast<uint16_t>(codes[j]), high = static_cast<uint16_t>(codes[j + 1]);
      tile.q[(d + j) / 2 * kTileQueries + lane] = static_cast<int32_t>(low | (high << 16));
    }
  });
  return true;
}

/// Codes of a page's keys, a scale per token. Slots that are not held may hold anything: their scale is 0. False
/// when a held element is not finite or too large.
inline bool encode_keys(const RunScratch& s, const float* keys, int64_t k_dim, uint64_t held) {
  constexpr int kVectors = kPageTokens / kLanes;
  Floats inverse[kVectors];
  for (int j = 0; j < kVectors; ++j) inverse[j] = zero();
  for (int64_t d = 0; d < k_dim; ++d) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      inverse[j] = max_magnitude(load(keys + d * kPageTokens + j * kLanes), inverse[j]);
    }
  }
  bool fine = true;
  for (int j = 0; j < kVectors; ++j) {
    const Floats largest = select(lanes_of_bits(held >> (j * kLanes)), inverse[j], zero());
    fine = fine && all_below(largest, kLargestElement);
    store(s.k_scale + j * kLanes, div(largest, splat(s.query_codes)));
    inverse[j] = inverse_scale(largest, s.query_codes);
  }
  for (int64_t pair = 0; pair < s.k_pairs; ++pair) {
    const bool last = 2 * pair + 1 == k_dim;
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const float* row = keys + 2 * pair * kPageTokens + j * kLanes;
      const Ints low = to_ints(mul(load(row), inverse[j]));
      Ints high = zero_ints();
      if (!last) high = to_ints(mul(load(row + kPageTokens), inverse[j]));
      store_ints(s.k + pair * kPageTokens + j * kLanes, make_pairs(low, high));
    }
  }
  return fine;
}

/// Codes of a page's values, a scale per column; rows that are not held get codes that no query may weigh. False
/// when a held element is not finite or too large.
inline bool encode_values(const RunScratch& s, const float* values, int64_t v_dim, uint64_t held) {
  bool fine = true;
  for (int64_t d = 0; d < s.v_padded; d += kLanes) {
    const int64_t n = v_dim - d < kLanes ? v_dim - d : kLanes;
    const auto row = [&](int64_t t) { return n > 0 ? load_up_to(values + t * v_dim + d, n) : zero(); };
    Floats largest = zero();
    for (int64_t t = 0; t < kPageTokens; ++t) {
      if (((held >> t) & 1u) != 0) largest = max_magnitude(row(t), largest);
    }
    fine = fine && all_below(largest, kLargestElement);
    store(s.v_scale + d, div(largest, splat(kValueCodes)));
    const Floats inverse = inverse_scale(largest, kValueCodes);
    for (int64_t t = 0; t < kPageTokens; t += 2) {
      store_ints(s.v + t / 2 * s.v_padded + d,
                 make_pairs(to_ints(mul(row(t), inverse)), to_ints(mul(row(t + 1), inverse))));
    }
  }
  return fine;
}

inline bool encode_page(const RunScratch& s, const KvPage& page, const AttentionShape& shape, uint64_t held) {
  return encode_keys(s, kernels::key_floats(s.decoded, page, shape), shape.k_dim, held) &&
         encode_values(s, kernels::value_floats(s.decoded, page, shape), shape.v_dim, held);
}

}  // namespace
}  // namespace hearth::kernels
