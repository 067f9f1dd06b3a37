// Attention of a block of queries to a run of pages by the bfloat16 tiles. A number is the sum of two bfloat16 numbers,
// its upper and its lower part, which leave nothing of an f16 element and less than 2^-15 of others; of the four
// products of such parts the one of both lower ones, which is below 2^-14, is left out. Rows of A are queries, so that
// the scores of a query lie side by side, as do its weights and what it gathers of the values: nothing is transposed.
//
//   A, 32 elements of 32 queries   [upper, lower parts][2 tiles of queries][16 queries][16 pairs of elements]
//   B, 32 elements of 32 columns   [upper, lower parts][2 tiles of columns][16 pairs of elements][16 columns]
//
//   scores:  A are queries [32 elements of k_dim], B keys [32 tokens][32 elements of k_dim]
//   values:  A are weights [32 tokens],            B values [32 elements of v_dim][32 tokens]
//
// where a pair is elements i and i + 16, whose parts come out of two registers without crossing lanes.
#include "kernels/amx/overlay.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/overlay.h"
#include "kernels/simd/attention_slots.h"
#include "kernels/simd/math.h"

namespace hearth::kernels::amx {
namespace {

constexpr int kSide = 2 * kTileRows;               // queries of A, columns of B
constexpr int64_t kPartBytes = 2 * kTileBytes;     // upper, or lower, parts
constexpr int64_t kPairBytes = 2 * kPartBytes;     // of A, or of B
constexpr int kHalves = kPageTokens / kTileDepth;  // of a page: tokens of a step of its values

/// Sizes and places of one call.
struct Run {
  const AttentionState& state;
  const PageRun& pages;
  const AttentionShape& shape;
  int nq;
  int n_groups = 0;       ///< of kSide queries
  int64_t steps = 0;      ///< of k_dim
  int64_t width = 0;      ///< v_dim in whole steps
  int64_t in_place = 0;   ///< queries whose sums of values stay in `state`: those of whole groups, if columns are whole
  float* acc = nullptr;   ///< [kSide n_groups, width] of the others
  float* unit = nullptr;  ///< [kSide n_groups] the score whose weight is 1
  float* max = nullptr;   ///< [kSide n_groups, 16] largest scores, of every sixteenth token
  float* sums = nullptr;  ///< [kSide n_groups, 16] of weights, of every sixteenth token
  float* scores = nullptr;   ///< [kSide, 64]
  float* decoded = nullptr;  ///< a page's keys or values
  char *weights = nullptr, *q = nullptr, *keys = nullptr, *values = nullptr;

  float* gathered(int64_t query) const { return (query < in_place ? state.acc : acc) + query * width; }
};

inline Run carve(const AttentionState& state, const PageRun& pages, const AttentionShape& shape, int nq, void* memory) {
  Run run{state, pages, shape, nq};
  run.n_groups = (nq + kSide - 1) / kSide;
  run.steps = (shape.k_dim + kTileDepth - 1) / kTileDepth;
  run.width = (shape.v_dim + kSide - 1) / kSide * kSide;
  run.in_place = run.width == shape.v_dim ? nq / kSide * kSide : 0;
  char* at = static_cast<char*>(memory);
  const auto take = [&at](int64_t bytes) {
    char* const taken = at;
    at += bytes;
    return taken;
  };
  const auto floats = [&take](int64_t n) { return static_cast<float*>(static_cast<void*>(take(n * 4))); };
  const int64_t queries = int64_t{run.n_groups} * kSide;
  run.acc = floats(queries * run.width);
  run.unit = floats(queries);
  run.max = floats(queries * kLanes);
  run.sums = floats(queries * kLanes);
  run.scores = floats(int64_t{kSide} * kPageTokens);
  run.decoded = floats(int64_t{kPageTokens} * (shape.k_dim > shape.v_dim ? shape.k_dim : shape.v_dim));
  run.weights = take(kHalves * kPairBytes);
  run.q = take(run.n_groups * run.steps * kPairBytes);
  run.keys = take(kHalves * run.steps * kPairBytes);
  run.values = take(kHalves * run.width / kSide * kPairBytes);
  return run;
}

/// Those below n, which may be negative or large.
inline Mask lanes_below(int64_t n) {
  return n <= 0 ? Mask{0} : first_lanes(n < kLanes ? n : kLanes);
}
/// Floats in the lanes of mask, 0 in others, which are not touched.
inline Floats load_lanes(Mask mask, const float* p) {
  return _mm512_maskz_loadu_ps(mask, p);
}

/// The bfloat16 numbers (low, high) in each lane, what lies below them is cut off.
inline Floats pairs(Floats low, Floats high) {
  const __m512i upper_word = _mm512_broadcast_i32x4(_mm_setr_epi8(2, 3, 0, 0, 6, 7, 0, 0, 10, 11, 0, 0, 14, 15, 0, 0));
  return _mm512_castsi512_ps(
      _mm512_mask_shuffle_epi8(_mm512_castps_si512(high), 0x3333333333333333u, _mm512_castps_si512(low), upper_word));
}
/// x without what lies below its bfloat16 number.
inline Floats cut(Floats x) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(-65536)));
}
/// To be cut: to the nearest bfloat16 number.
inline Floats rounded(Floats x) {
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)));
}

/// The next pairs of elements of A or B, and the squares of all so far added up.
inline void pack_pairs(char* row, Floats low, Floats high, Floats& squares) {
  squares = fma(low, low, fma(high, high, squares));
  _mm512_store_ps(row, pairs(low, high));
  _mm512_store_ps(row + kPartBytes, pairs(rounded(sub(low, cut(low))), rounded(sub(high, cut(high)))));
}
/// False when an element was not finite or too large.
inline bool all_fine(Floats squares) {
  return all_below(squares, kLargestElement * kLargestElement / kLanes);
}

inline bool pack_queries(const Run& run, const float* q) {
  Floats squares = zero();
  for (int64_t i = 0; i < int64_t{run.n_groups} * kSide; ++i) {
    const int64_t k_dim = i < run.nq ? run.shape.k_dim : 0;
    char* row = run.q + i / kSide * run.steps * kPairBytes + i % kSide * 64;
    for (int64_t d = 0; d < run.steps * kTileDepth; d += kTileDepth, row += kPairBytes) {
      const auto part = [&](int64_t at) { return load_lanes(lanes_below(k_dim - at), q + i * run.shape.k_dim + at); };
      pack_pairs(row, part(d), part(d + kTileRows), squares);
    }
  }
  return all_fine(squares);
}

/// B [32 columns][32 rows] of rows of floats; bits of `rows` and `columns`, modulo 64, tell which of them count: others
/// may be anything, and become 0.
__attribute__((noinline)) bool pack_rows(char* b, const float* x, int64_t n_rows, int64_t n_columns, uint64_t rows,
                                         uint64_t columns) {
  const int64_t steps = (n_rows + kTileDepth - 1) / kTileDepth;
  Floats squares = zero();
  for (int64_t i = 0; i < steps * kTileRows; ++i) {
    const int64_t step = i / kTileRows, pair = i % kTileRows, r = step * kTileDepth + pair;
    const auto lanes = [&](int64_t row) {
      return static_cast<Mask>(row < n_rows && ((rows >> (row % 64)) & 1u) != 0 ? 0xffff : 0);
    };
    const Mask low = lanes(r), high = lanes(r + kTileRows);
    const float* from = x + r * n_columns;
    for (int64_t c = 0; c < (n_columns + kSide - 1) / kSide * kSide; c += kLanes) {
      const auto counts = static_cast<Mask>(lanes_below(n_columns - c) & lanes_of_bits(columns >> (c % 64)));
      char* const tile = b + (c / kSide * steps + step) * kPairBytes + c % kSide / kLanes * kTileBytes;
      pack_pairs(tile + pair * 64, load_lanes(static_cast<Mask>(low & counts), from + c),
                 load_lanes(static_cast<Mask>(high & counts), from + kTileRows * n_columns + c), squares);
    }
  }
  return all_fine(squares);
}

inline bool pack_page(const Run& run, const KvPage& page, uint64_t held) {
  const AttentionShape& shape = run.shape;
  constexpr uint64_t kAll = ~uint64_t{0};
  return pack_rows(run.keys, avx512::key_floats(run.decoded, page, shape), shape.k_dim, kPageTokens, kAll, held) &&
         pack_rows(run.values, avx512::value_floats(run.decoded, page, shape), kPageTokens, shape.v_dim, held, kAll);
}

/// Sums += n steps of A times n steps of B. whole: B has no lower parts.
inline void add_products(const char* a, const char* b, int64_t n, bool whole) {
  const auto multiply = [] {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  };
  for (; n > 0; --n, a += kPairBytes, b += kPairBytes) {
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + kTileBytes, 64);
    _tile_loadd(4, a + kPartBytes, 64);
    _tile_loadd(5, a + kPartBytes + kTileBytes, 64);
    multiply();
    _tile_loadd(4, a, 64);
    _tile_loadd(5, a + kTileBytes, 64);
    multiply();
    if (whole) continue;
    _tile_loadd(6, b + kPartBytes, 64);
    _tile_loadd(7, b + kPartBytes + kTileBytes, 64);
    multiply();
  }
}

/// Sums of kSide x kSide, rows ld floats apart.
inline void store_sums(float* to, int64_t ld) {
  _tile_stored(0, to, ld * 4);
  _tile_stored(1, to + kTileRows, ld * 4);
  _tile_stored(2, to + kTileRows * ld, ld * 4);
  _tile_stored(3, to + kTileRows * ld + kTileRows, ld * 4);
}
inline void load_sums(const float* from, int64_t ld) {
  _tile_loadd(0, from, ld * 4);
  _tile_loadd(1, from + kTileRows, ld * 4);
  _tile_loadd(2, from + kTileRows * ld, ld * 4);
  _tile_loadd(3, from + kTileRows * ld + kTileRows, ld * 4);
}

/// 2^x in the lanes of mask, 0 in others. For x <= 100; relative error at most 1.4e-4, 4.6e-5 in the mean square.
/// Exactly 0 below 2^-100, so that a query does not feel a page that others of its group see.
inline Floats power_of_two(Mask mask, Floats x) {
  const Floats to_whole = splat(12582912.0f);  // 1.5 * 2^23: a sum with it has no fraction
  const Floats sum = add(x, to_whole), r = sub(x, sub(sum, to_whole));
  Floats p = splat(0.0550293144f);  // least squares of the relative error in -1/2..1/2
  p = fma(p, r, splat(0.242256781f));
  p = fma(p, r, splat(0.693253034f));
  p = fma(p, r, splat(0.999951348f));
  const __m512i power = _mm512_slli_epi32(_mm512_castps_si512(sum), 23);
  mask = static_cast<Mask>(mask & less(splat(-100.0f), x));
  return _mm512_castsi512_ps(_mm512_maskz_add_epi32(mask, _mm512_castps_si512(p), power));
}

/// What a query has gathered becomes `factor` times as much.
inline void scale_gathered(const Run& run, int64_t query, Floats factor) {
  float *acc = run.gathered(query), *sums = run.sums + query * kLanes;
  store(sums, mul(load(sums), factor));
  for (int64_t d = 0; d < run.width; d += kLanes) store(acc + d, mul(load(acc + d), factor));
}

/// Weights are e^(score - unit). A unit is the largest score of a page, and stays until one exceeds it by more than
/// this: so what was gathered is seldom brought to another, and weights need not wait for the largest score of their
/// page.
constexpr float kSlack = 16.0f;

__attribute__((noinline)) void change_unit(const Run& run, int64_t query, float unit) {
  // Nothing was gathered before the first score; what exp makes of it is subnormal, and slow to multiply with.
  scale_gathered(run, query, run.unit[query] > kSeen ? exp(splat(run.unit[query] - unit)) : zero());
  run.unit[query] = unit;
}

/// Halves of a page that some query of a group sees.
struct Halves {
  int begin, end;
};

/// Weights of the page's tokens for query i of a group, which sees those in `seen`.
inline void weigh(const Run& run, int64_t group, int i, uint64_t seen, const Halves& halves) {
  const int64_t query = group * kSide + i;
  float* const scores = run.scores + i * kPageTokens;
  Floats largest = load(run.max + query * kLanes);
  for (int t = halves.begin * kTileDepth; t < halves.end * kTileDepth; t += kLanes) {
    largest = select(lanes_of_bits(seen >> t), max(load(scores + t), largest), largest);
  }
  store(run.max + query * kLanes, largest);
  if (less(splat(run.unit[query] + kSlack), largest) != 0) change_unit(run, query, max_lanes(largest));
  const Floats unit = splat(run.unit[query] * kLog2e);
  Floats sum = load(run.sums + query * kLanes);
  for (int half = halves.begin; half < halves.end; ++half) {
    const auto weights = [&](int t) {
      return power_of_two(lanes_of_bits(seen >> t), _mm512_fmsub_ps(load(scores + t), splat(kLog2e), unit));
    };
    const Floats low = weights(half * kTileDepth), high = weights(half * kTileDepth + kLanes);
    sum = add(sum, add(low, high));
    char* const row = run.weights + half * kPairBytes + i * 64;
    _mm512_store_ps(row, pairs(low, high));
    _mm512_store_ps(row + kPartBytes, pairs(sub(low, cut(low)), sub(high, cut(high))));
  }
  store(run.sums + query * kLanes, sum);
}

/// One group of queries and the page that is packed. slot0: number of the page's first slot.
inline void attend_group(const Run& run, int64_t group, int64_t slot0, uint64_t held) {
  const int64_t first = group * kSide;
  const int n = run.nq - first < kSide ? static_cast<int>(run.nq - first) : kSide;
  uint64_t seen[kSide], any = 0;
  for (int i = 0; i < n; ++i) {
    seen[i] = slots_between(run.pages.first[first + i], run.pages.end[first + i], slot0) & held;
    any |= seen[i];
  }
  if (any == 0) return;
  const Halves halves = {(any & 0xffffffffu) != 0 ? 0 : 1, (any >> kTileDepth) != 0 ? 2 : 1};
  for (int half = halves.begin; half < halves.end; ++half) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    add_products(run.q + group * run.steps * kPairBytes, run.keys + half * run.steps * kPairBytes, run.steps,
                 run.shape.k_type == KvType::kBF16);
    store_sums(run.scores + half * kTileDepth, kPageTokens);
  }
  if (run.shape.soft_cap > 0) avx512::soft_cap(run.scores, run.shape.soft_cap, int64_t{n} * kPageTokens);
  for (int i = 0; i < n; ++i) weigh(run, group, i, seen[i], halves);
  for (int64_t d = 0; d < run.width; d += kSide) {
    load_sums(run.gathered(first) + d, run.width);
    add_products(run.weights + halves.begin * kPairBytes,
                 run.values + (d / kSide * kHalves + halves.begin) * kPairBytes, halves.end - halves.begin,
                 run.shape.v_type == KvType::kBF16);
    store_sums(run.gathered(first) + d, run.width);
  }
}

/// The caller's states in the form in which they are continued.
inline void take_states(const Run& run) {
  const int64_t v_dim = run.shape.v_dim;
  for (int64_t i = 0; i < int64_t{run.n_groups} * kSide; ++i) {
    const bool is_query = i < run.nq;
    run.unit[i] = is_query && run.state.max[i] > kUnseen ? run.state.max[i] : kUnseen;
    store(run.max + i * kLanes, splat(run.unit[i]));
    store(run.sums + i * kLanes, is_query ? load_n(run.state.sum + i, 1) : zero());
    if (i < run.in_place) continue;
    for (int64_t d = 0; d < run.width; d += kLanes) {
      const Mask lanes = lanes_below(is_query ? v_dim - d : 0);
      store(run.acc + i * run.width + d, load_lanes(lanes, run.state.acc + i * v_dim + d));
    }
  }
}

/// And back, but for queries that have seen nothing.
inline void give_states(const Run& run) {
  const int64_t v_dim = run.shape.v_dim;
  for (int64_t i = 0; i < run.nq; ++i) {
    const float max = max_lanes(load(run.max + i * kLanes));
    if (!(max > kSeen)) continue;
    scale_gathered(run, i, exp(splat(run.unit[i] - max)));
    run.state.max[i] = max;
    run.state.sum[i] = sum_lanes(load(run.sums + i * kLanes));
    if (i < run.in_place) continue;
    for_each_vector(v_dim, [&](int64_t d, int64_t n) {
      store_up_to(run.state.acc + i * v_dim + d, load(run.acc + i * run.width + d), n);
    });
  }
}

void attend_run(const AttentionState& state, const float* q, int nq, const PageRun& pages, const AttentionShape& shape,
                void* memory) {
  const Run run = carve(state, pages, shape, nq, memory);
  const auto by_floats = [&](int p) { avx512::attend_run_page(state, q, nq, pages, p, shape, run.scores); };
  if (!pack_queries(run, q)) {
    for (int p = 0; p < pages.n_pages; ++p) by_floats(p);
    return;
  }
  configure(kTileRows, kTileRows);
  take_states(run);
  for (int p = 0; p < pages.n_pages; ++p) {
    const uint64_t held = pages.held != nullptr ? pages.held[p] : ~uint64_t{0};
    if (held == 0) continue;
    if (pack_page(run, pages.pages[p], held)) {
      for (int64_t g = 0; g < run.n_groups; ++g) attend_group(run, g, int64_t{p} * kPageTokens, held);
    } else {
      give_states(run);
      by_floats(p);
      take_states(run);
    }
  }
  _tile_release();
  give_states(run);
}

}  // namespace

void overlay_attention_run(KernelTable& table) {
  table.attend_run = attend_run;
}

}  // namespace hearth::kernels::amx
