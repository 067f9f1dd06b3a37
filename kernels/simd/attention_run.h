// Attention of a block of queries to a run of pages in 16-bit integers, in the vocabulary of <isa>/simd.h.
//
// Queries, keys, weights and values are codes with a scale each (attention_codes.h); products of codes are summed
// exactly in 32 bits. A lane is a query: kTileQueries of them run together, keys and values are splat from memory,
// and neither the maximum nor the sum of a softmax crosses lanes. A page is encoded once for all queries of the
// call. Pages with elements that no code can stand for go through attend_page.
#pragma once

#include "kernels/simd/attention_codes.h"
#include "kernels/simd/math.h"
#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

constexpr int kSplats = kLanes == 16 ? 8 : 4;  // tokens or columns beside a tile of queries

/// Lanes of one tile.
struct TileFloats {
  Floats v[kQueryVectors];
};

/// sums[j][i] = dot products of kSplats splat columns with the queries' lanes over n pairs. a: [n, kTileQueries];
/// b: [n, stride], kSplats of each row.
inline void dot_tile(Ints (&sums)[kSplats][kQueryVectors], const int32_t* a, const int32_t* b, int64_t stride,
                     int64_t n) {
#pragma GCC unroll 8
  for (int j = 0; j < kSplats; ++j) {
#pragma GCC unroll 2
    for (int i = 0; i < kQueryVectors; ++i) sums[j][i] = zero_ints();
  }
  for (int64_t pair = 0; pair < n; ++pair) {
    Ints x[kQueryVectors];
#pragma GCC unroll 2
    for (int i = 0; i < kQueryVectors; ++i) x[i] = load_ints(a + pair * kTileQueries + i * kLanes);
#pragma GCC unroll 8
    for (int j = 0; j < kSplats; ++j) {
      const Ints y = splat_int(b[pair * stride + j]);
#pragma GCC unroll 2
      for (int i = 0; i < kQueryVectors; ++i) sums[j][i] = dot_pairs(sums[j][i], x[i], y);
    }
  }
}

/// Scores and their largest: scores[t] = k_scale[t] * (codes of q . codes of k_t) * scale of the query.
inline TileFloats score_page(const RunScratch& s, const QueryTile& tile, int n_slots) {
  TileFloats largest, unit;
  for (int i = 0; i < kQueryVectors; ++i) {
    largest.v[i] = splat(kUnseen);
    unit.v[i] = load(tile.scale + i * kLanes);
  }
  for (int t = 0; t < n_slots; t += kSplats) {
    Ints sums[kSplats][kQueryVectors];
    dot_tile(sums, tile.q, s.k + t, kPageTokens, s.k_pairs);
#pragma GCC unroll 8
    for (int j = 0; j < kSplats; ++j) {
      const Floats scale = splat(s.k_scale[t + j]);
#pragma GCC unroll 2
      for (int i = 0; i < kQueryVectors; ++i) {
        const Floats score = mul(mul(to_floats(sums[j][i]), scale), unit.v[i]);
        largest.v[i] = max(score, largest.v[i]);
        store(s.scores + (t + j) * kTileQueries + i * kLanes, score);
      }
    }
  }
  return largest;
}

/// Applies soft cap and visibility to the scores; returns the largest. Scores that are seen stay what they are without
/// a soft cap: what a query gets must not depend on what others of its tile see.
inline TileFloats adjust_scores(const RunScratch& s, const QueryTile& tile, const AttentionShape& shape, int64_t slot0,
                                uint64_t held, int n_slots) {
  TileFloats largest;
  for (int i = 0; i < kQueryVectors; ++i) {
    const int at = i * kLanes;
    const Floats first = load(tile.first + at), end = load(tile.end + at);
    largest.v[i] = splat(kUnseen);
    for (int t = 0; t < n_slots; ++t) {
      float* at_slot = s.scores + t * kTileQueries + at;
      Floats score = load(at_slot);
      if (shape.soft_cap > 0) score = mul(splat(shape.soft_cap), tanh(div(score, splat(shape.soft_cap))));
      const Floats slot = splat(static_cast<float>(slot0 + t));
      const Floats unseen = splat(kUnseen);
      score = select(less(slot, first), unseen, score);
      score = select(less(slot, end), score, unseen);
      if (((held >> t) & 1u) == 0) score = unseen;
      largest.v[i] = max(score, largest.v[i]);
      store(at_slot, score);
    }
  }
  return largest;
}

/// kWeightCodes * 2^x for x <= 0, relative error 4e-6: far below half a code.
inline Floats weight_of(Floats x) {
  x = max(x, splat(-100.0f));
  const Floats n = round_even(x), r = sub(x, n);
  Floats p = splat(9.6759e-3f * kWeightCodes);
  p = fma(p, r, splat(5.59208e-2f * kWeightCodes));
  p = fma(p, r, splat(2.402211e-1f * kWeightCodes));
  p = fma(p, r, splat(6.931212e-1f * kWeightCodes));
  p = fma(p, r, splat(kWeightCodes));
  return scale_by_power(p, n);
}

/// Codes of exp(score - largest) in pairs; returns their sums.
inline TileFloats weigh_page(const RunScratch& s, const TileFloats& largest, int n_slots) {
  TileFloats total;
  for (int i = 0; i < kQueryVectors; ++i) {
    const Floats scale = splat(kLog2e), top = mul(largest.v[i], scale);
    Ints sum = zero_ints();
    for (int pair = 0; pair < n_slots / 2; ++pair) {
      const float* scores = s.scores + 2 * pair * kTileQueries + i * kLanes;
      const Ints low = to_ints(weight_of(sub(mul(load(scores), scale), top)));
      const Ints high = to_ints(weight_of(sub(mul(load(scores + kTileQueries), scale), top)));
      const Ints codes = make_pairs(low, high);
      sum = dot_pairs(sum, codes, splat_int(0x00010001));
      store_ints(s.weights + pair * kTileQueries + i * kLanes, codes);
    }
    total.v[i] = to_floats(sum);
  }
  return total;
}

/// acc = acc * keep + take * v_scale * (codes of weights . codes of values)
inline void add_page_values(const RunScratch& s, const QueryTile& tile, const TileFloats& keep, const TileFloats& take,
                            int n_slots) {
  for (int64_t d = 0; d < s.v_padded; d += kSplats) {
    Ints sums[kSplats][kQueryVectors];
    dot_tile(sums, s.weights, s.v + d, s.v_padded, n_slots / 2);
#pragma GCC unroll 8
    for (int j = 0; j < kSplats; ++j) {
      const Floats scale = splat(s.v_scale[d + j]);
#pragma GCC unroll 2
      for (int i = 0; i < kQueryVectors; ++i) {
        float* acc = tile.acc + (d + j) * kTileQueries + i * kLanes;
        const Floats part = mul(mul(to_floats(sums[j][i]), scale), take.v[i]);
        store(acc, fma(load(acc), keep.v[i], part));
      }
    }
  }
}

/// One tile of queries and the page that is encoded in the scratch. slot0: number of the page's first slot.
inline void attend_tile(const RunScratch& s, const QueryTile& tile, const AttentionShape& shape, int64_t slot0,
                        uint64_t held) {
  const auto begin = static_cast<float>(slot0), past = static_cast<float>(slot0 + kPageTokens);
  if (tile.bounds[3] <= begin || tile.bounds[0] >= past) return;
  const bool all_seen = held == ~uint64_t{0} && tile.bounds[1] <= begin && tile.bounds[2] >= past;
  // Behind the last slot that a query sees weights would be 0.
  const int64_t seen = static_cast<int64_t>(tile.bounds[3]) - slot0;
  const int n_slots = seen < kPageTokens ? static_cast<int>((seen + kSplats - 1) / kSplats * kSplats) : kPageTokens;
  TileFloats largest = score_page(s, tile, n_slots);
  if (!all_seen || shape.soft_cap > 0) largest = adjust_scores(s, tile, shape, slot0, held, n_slots);
  const TileFloats codes = weigh_page(s, largest, n_slots);
  TileFloats keep, take;
  for (int i = 0; i < kQueryVectors; ++i) {
    const Floats page_max = largest.v[i], old_max = load(tile.max + i * kLanes);
    const Floats new_max = max(page_max, old_max);
    // Nothing was gathered before the first score; what exp makes of it is subnormal, and slow to multiply with.
    keep.v[i] = select(less(splat(kSeen), old_max), exp(sub(old_max, new_max)), zero());
    take.v[i] = mul(exp(sub(page_max, new_max)), splat(1.0f / kWeightCodes));
    store(tile.max + i * kLanes, new_max);
    store(tile.sum + i * kLanes, fma(load(tile.sum + i * kLanes), keep.v[i], mul(codes.v[i], take.v[i])));
  }
  add_page_values(s, tile, keep, take, n_slots);
}

/// Encodes the queries and clears the running states. Lanes beyond the last query repeat its range with codes 0.
/// False when a query has no codes.
inline bool start_tiles(const RunScratch& s, const float* q, int nq, const PageRun& run, int64_t k_dim) {
  for (int index = 0; index < s.n_tiles; ++index) {
    const QueryTile tile = tile_at(s, index);
    const auto large = static_cast<float>(int64_t{1} << 40);
    float bounds[4] = {large, -large, large, -large};
    for (int64_t j = 0; j < kTileQueries * s.v_padded; j += kLanes) store(tile.acc + j, zero());
    for (int64_t j = 0; j < kTileQueries * s.k_pairs; j += kLanes) store_ints(tile.q + j, zero_ints());
    for (int lane = 0; lane < kTileQueries; ++lane) {
      const int64_t wanted = int64_t{index} * kTileQueries + lane, i = wanted < nq ? wanted : nq - 1;
      tile.scale[lane] = 0;
      if (wanted < nq && !encode_query(s, tile, lane, q + i * k_dim, k_dim)) return false;
      tile.max[lane] = kUnseen;
      tile.sum[lane] = 0;
      tile.first[lane] = static_cast<float>(run.first[i]);
      tile.end[lane] = static_cast<float>(run.end[i]);
      bounds[0] = tile.first[lane] < bounds[0] ? tile.first[lane] : bounds[0];
      bounds[1] = tile.first[lane] > bounds[1] ? tile.first[lane] : bounds[1];
      bounds[2] = tile.end[lane] < bounds[2] ? tile.end[lane] : bounds[2];
      bounds[3] = tile.end[lane] > bounds[3] ? tile.end[lane] : bounds[3];
    }
    for (int j = 0; j < 4; ++j) tile.bounds[j] = bounds[j];
  }
  return true;
}

inline float exp_one(float x) {
  alignas(64) float lanes[kLanes];
  store(lanes, exp(splat(x)));
  return lanes[0];
}

/// Merges the running states into the caller's and forgets them.
inline void merge_tiles(const RunScratch& s, const AttentionState& state, int nq, int64_t v_dim) {
  for (int64_t i = 0; i < nq; ++i) {
    const QueryTile tile = tile_at(s, static_cast<int>(i / kTileQueries));
    const int64_t lane = i % kTileQueries;
    const float max_here = tile.max[lane];
    tile.max[lane] = kUnseen;
    if (!(max_here > kSeen)) continue;
    const float new_max = max_here > state.max[i] ? max_here : state.max[i];
    const float keep = state.sum[i] == 0.0f ? 0.0f : exp_one(state.max[i] - new_max);
    const float take = exp_one(max_here - new_max);
    state.max[i] = new_max;
    state.sum[i] = state.sum[i] * keep + tile.sum[lane] * take;
    float* acc = state.acc + i * v_dim;
    for_each_vector(v_dim, [&](int64_t d, int64_t n) {  // acc has whole vectors of columns
      const Floats part = mul(gather(tile.acc + d * kTileQueries + lane, kTileQueries), splat(take));
      store_up_to(acc + d, fma(load_up_to(acc + d, n), splat(keep), part), n);
    });
  }
}

template <AttendPage kAttendPage>
inline void attend_run_codes(const AttentionState& state, const float* q, int nq, const PageRun& run,
                             const AttentionShape& shape, void* memory) {
  const RunScratch s = carve_scratch(memory, nq, shape);
  if (!start_tiles(s, q, nq, run, shape.k_dim)) {
    for (int p = 0; p < run.n_pages; ++p) attend_run_page_f32<kAttendPage>(state, q, nq, run, p, shape, s.scores);
    return;
  }
  for (int p = 0; p < run.n_pages; ++p) {
    const uint64_t held = run.held != nullptr ? run.held[p] : ~uint64_t{0};
    if (held == 0) continue;
    if (!encode_page(s, run.pages[p], shape, held)) {
      merge_tiles(s, state, nq, shape.v_dim);
      attend_run_page_f32<kAttendPage>(state, q, nq, run, p, shape, s.scores);
      continue;
    }
    for (int index = 0; index < s.n_tiles; ++index) {
      attend_tile(s, tile_at(s, index), shape, int64_t{p} * kPageTokens, held);
    }
  }
  merge_tiles(s, state, nq, shape.v_dim);
}

}  // namespace
}  // namespace hearth::kernels
