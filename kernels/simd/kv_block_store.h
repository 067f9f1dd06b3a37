// Blocks of KV types written in the vocabulary of <isa>/simd.h: the steps of kernels/reference/kv_blocks.cpp with
// blocks as lanes, to the same bits. The blocks of a vector are those of one position, or the same one of neighboring
// positions. kernels/kv_blocks.h has the order of codes.
#pragma once

#include <cstring>

#include "kernels/kv_block_codes.h"
#include "kernels/simd/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// kLanes blocks of up to 32 elements: row e has element e of each.
struct BlockLanes {
  const float* x;  ///< [32, kLanes]; rows from n on are 0
  int64_t n;       ///< elements that count
};

/// What blocks are stored as.
struct LaneCodes {
  Floats code[kKvBlock];  ///< from 0 on; 0 in rows that do not count
  alignas(64) uint16_t scale[kLanes], minimum[kLanes];
};

/// The nearest halves; what is beyond halves saturates, NaN becomes 0.
inline Floats nearest_halves(Floats x) {
  const Floats largest = splat(65504.0f), least = splat(-65504.0f);
  const Floats bounded = select(less(zero(), x), min(x, largest), select(less(x, zero()), max(x, least), zero()));
  alignas(64) uint16_t halves[kLanes];
  store_half_n(halves, select(less(abs(x), splat(1.0f)), x, bounded), kLanes);
  return load_half(halves);
}

/// Sum over rows, halves of the block added until one is left, as the reference does. sum[16]: rows e and e + 16 added.
inline Floats sum_rows(const Floats (&sum)[kKvBlock / 2]) {
  Floats part[4];
#pragma GCC unroll 4
  for (int e = 0; e < 4; ++e) part[e] = add(add(sum[e], sum[e + 8]), add(sum[e + 4], sum[e + 12]));
  return add(add(part[0], part[2]), add(part[1], part[3]));
}

/// Levels of IQ4_NL by cells of width 14.3125, in each of which at most one bound between levels lies: the level and
/// the code below it, and the level above.
struct TableCells {
  alignas(64) float bound[16], low[16], high[16], code[16];
};
constexpr float kCellWidth = 14.3125f, kFirstCell = 8.875f - 9 * kCellWidth;  // center of cell 0

constexpr TableCells make_table_cells() {
  constexpr KvLevels kLevels = kKvLevels<KvType::kIQ4_NL>;
  TableCells cells{};
  int code = 0;
  for (int i = 0; i < 16; ++i) {
    cells.code[i] = static_cast<float>(code);
    cells.low[i] = cells.high[i] = kLevels.value[code];
    cells.bound[i] = __builtin_inff();
    const float end = kFirstCell + (static_cast<float>(i) + 0.5f) * kCellWidth;
    if (code + 1 == kLevels.n || kv_bound(kLevels, code) > end) continue;
    cells.bound[i] = kv_bound(kLevels, code);
    cells.high[i] = kLevels.value[++code];
  }
  return cells;
}
constexpr TableCells kTableCells = make_table_cells();

/// How elements become levels: x -> nearest((x - minimum) * inverse). Held in registers: what lies in memory would be
/// read again after every store of a vector.
struct Rounding {
  Floats minimum, inverse;
  Floats first, last;  ///< level
};

/// Types that differ in the number of their levels alone share one.
template <bool kMinimums, bool kTable, bool kBytes>
class BlockEncoder {
 public:
  BlockEncoder(const BlockLanes& blocks, const KvLevels& levels)
      : x_(blocks.x),
        n_(blocks.n),
        first_(levels.value[0]),
        last_(levels.value[0] + static_cast<float>(levels.n - 1)) {}

  void encode(LaneCodes& out) {
    Floats low, high;
    find_range(low, high);
    const Floats below = mul(low, splat(-1.0f));  // how far they reach on either side
    if constexpr (kBytes) {
      scale_ = nearest_halves(div(select(less(below, high), high, below), splat(127.0f)));
      minimum_ = zero();
    } else {
      const Floats first =
          kMinimums ? div(sub(high, low), splat(last_)) : div(select(less(below, high), high, low), splat(first_));
      const Floats least = kMinimums ? nearest_halves(low) : zero();
      Floats best_scale = zero(), best_minimum = zero(), most = zero();
      for (int i = 0; i < kKvShareCount; ++i) {
        scale_ = nearest_halves(mul(first, splat(kKvShares[i])));
        minimum_ = least;
        const Floats gain = refine();
        const Mask better = less(most, gain);
        const auto take = [&](Floats a, Floats b) { return i == 0 ? a : select(better, a, b); };
        most = take(gain, most), best_scale = take(scale_, best_scale), best_minimum = take(minimum_, best_minimum);
      }
      scale_ = best_scale, minimum_ = best_minimum;
    }
    const Rounding how = rounding();
    const float* x = x_;
#pragma GCC unroll 4
    for (int e = 0; e < kKvBlock; ++e) out.code[e] = code(how, load(x + e * kLanes));
    for (int64_t e = n_; e < kKvBlock; ++e) out.code[e] = zero();
    store_half_n(out.scale, scale_, kLanes);
    store_half_n(out.minimum, minimum_, kLanes);
  }

 private:
  Rounding rounding() const {
    const Floats inverse = select(less(zero(), abs(scale_)), div(splat(1.0f), scale_), zero());
    return {minimum_, inverse, splat(first_), splat(last_)};
  }
  static Floats scaled(const Rounding& how, Floats x) {
    return mul(kMinimums ? sub(x, how.minimum) : x, how.inverse);
  }

  static Ints cell_of(Floats x) {
    constexpr float kPerCell = 1.0f / kCellWidth;
    const Floats inside = min(max(x, splat(kFirstCell)), splat(kFirstCell + 15 * kCellWidth));
    return to_ints(fma(inside, splat(kPerCell), splat(-kFirstCell * kPerCell)));
  }
  /// The level nearest to an element, the lower of two; the first for NaN.
  static Floats level(const Rounding& how, Floats x) {
    const Floats y = scaled(how, x);
    if constexpr (kTable) {
      const Ints cell = cell_of(y);
      const Mask above = less(look_up(kTableCells.bound, cell), y);
      return select(above, look_up(kTableCells.high, cell), look_up(kTableCells.low, cell));
    }
    return round_even(min(max(y, how.first), how.last));
  }
  static Floats code(const Rounding& how, Floats x) {
    if constexpr (kTable) {
      const Floats y = scaled(how, x);
      const Ints cell = cell_of(y);
      const Floats low = look_up(kTableCells.code, cell);
      return select(less(look_up(kTableCells.bound, cell), y), add(low, splat(1.0f)), low);
    }
    return sub(level(how, x), how.first);
  }

  /// Of the elements, and of 0 where there are no minimums.
  void find_range(Floats& low, Floats& high) const {
    const float* x = x_;
    const Floats first = load(x);
    const Floats start = kMinimums ? select(less(abs(first), splat(__builtin_inff())), first, zero()) : zero();
    Floats least[4] = {start, start, start, start}, most[4] = {start, start, start, start};
    const int64_t n = kMinimums ? n_ : kKvBlock;
    for (int64_t e = 0; e + 4 <= n; e += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const Floats row = load(x + (e + i) * kLanes);
        least[i] = min(row, least[i]), most[i] = max(row, most[i]);
      }
    }
    for (int64_t e = n / 4 * 4; e < n; ++e) {
      const Floats row = load(x + e * kLanes);
      least[0] = min(row, least[0]), most[0] = max(row, most[0]);
    }
    low = add(min(min(least[0], least[1]), min(least[2], least[3])), zero());  // 0, not -0
    high = max(max(most[0], most[1]), max(most[2], most[3]));
  }

  /// Least squares for the levels that are nearest; returns the gain.
  Floats refine() {
    constexpr int kHalf = kKvBlock / 2;
    Floats sum_l[kHalf], sum_ll[kHalf], sum_x[kHalf], sum_xl[kHalf];
    const Rounding how = rounding();
    const float* row = x_;
    const int64_t n = n_;
#pragma GCC unroll 2
    for (int e = 0; e < kHalf; ++e) {
      const Floats x[2] = {load(row + e * kLanes), load(row + (e + kHalf) * kLanes)};
      Floats l[2] = {level(how, x[0]), level(how, x[1])};
      if constexpr (kMinimums || kTable) {  // others have a level of 0, which is that of rows that do not count
        if (e >= n) l[0] = mul(l[0], zero());
        if (e + kHalf >= n) l[1] = mul(l[1], zero());
      }
      if (kMinimums) sum_l[e] = add(l[0], l[1]), sum_x[e] = add(x[0], x[1]);
      sum_ll[e] = add(mul(l[0], l[0]), mul(l[1], l[1]));
      sum_xl[e] = add(mul(x[0], l[0]), mul(x[1], l[1]));
    }
    const Floats ll = sum_rows(sum_ll), xl = sum_rows(sum_xl), count = splat(static_cast<float>(n));
    Floats spread = ll, common = xl, all_l = zero(), all_x = zero();
    if constexpr (kMinimums) {
      all_l = sum_rows(sum_l), all_x = sum_rows(sum_x);
      spread = sub(mul(count, ll), mul(all_l, all_l));
      common = sub(mul(count, xl), mul(all_l, all_x));
    }
    const Mask found = less(zero(), select(less(abs(xl), splat(__builtin_inff())), spread, zero()));
    const Floats best = div(common, spread);
    if constexpr (kMinimums) {
      minimum_ = select(found, nearest_halves(div(sub(all_x, mul(best, all_l)), count)), minimum_);
    }
    scale_ = select(found, nearest_halves(best), scale_);
    return select(found, mul(common, best), zero());
  }

  const float* x_;
  int64_t n_;
  float first_, last_;  ///< levels
  Floats scale_, minimum_;
};

using EncodeLanes = void (*)(LaneCodes& out, const BlockLanes& blocks, const KvLevels& levels);

template <bool kMinimums, bool kTable, bool kBytes>
[[gnu::noinline]] void encode_lanes(LaneCodes& out, const BlockLanes& blocks, const KvLevels& levels) {
  BlockEncoder<kMinimums, kTable, kBytes>(blocks, levels).encode(out);
}

/// The words of a block: those of codes, then that of fifth bits, of lane i at [word][i].
struct LaneWords {
  alignas(64) int32_t word[9][kLanes];
  int n_codes;
};

/// Which element's code stands at place `p` of half `h` of word w.
inline int element_at(int w, int h, int p, bool bytes, bool keys) {
  if (bytes) return keys ? 4 * w + 2 * p + h : 4 * w + 2 * h + p;
  return keys ? 8 * w + 2 * p + h : 4 * w + 2 * h + p / 2 + 16 * (p % 2);
}

/// Codes of `bits` bits in the order of keys or of values. Halves of words are exact as floats.
[[gnu::noinline]] void pack_codes(LaneWords& out, const Floats* code, int bits, bool keys) {
  const bool bytes = bits == 8;
  const int places = bytes ? 2 : 4;
  const Floats base = splat(bytes ? 256.0f : 16.0f), sixteen = splat(16.0f), below = splat(bits == 5 ? 15.5f : 256.0f);
  out.n_codes = bytes ? 8 : 4;
  for (int w = 0; w < out.n_codes; ++w) {
    Floats half[2] = {zero(), zero()};
    for (int h = 0; h < 2; ++h) {
      for (int p = places - 1; p >= 0; --p) {
        const Floats c = code[element_at(w, h, p, bytes, keys)];
        half[h] = fma(half[h], base, select(less(below, c), sub(c, sixteen), c));
      }
    }
    store_ints(out.word[w], bit_or(to_ints(half[0]), shift_left<16>(to_ints(half[1]))));
  }
  if (bits != 5) return;
  Floats half[2] = {zero(), zero()};
  for (int h = 0; h < 2; ++h) {
    for (int q = 15; q >= 0; --q) {
      const Floats c = code[keys ? 2 * q + h : q + 16 * h];
      half[h] = add(add(half[h], half[h]), select(less(below, c), splat(1.0f), zero()));
    }
  }
  store_ints(out.word[out.n_codes], bit_or(to_ints(half[0]), shift_left<16>(to_ints(half[1]))));
}

/// What writing needs to know of a type.
struct BlockWriter {
  KvBlockSpec spec;
  const KvLevels* levels;
  EncodeLanes encode;
};

template <KvType kType>
constexpr BlockWriter block_writer() {
  constexpr KvBlockSpec kSpec = kv_block_spec(kType);
  return {kSpec, &kKvLevels<kType>, encode_lanes<kSpec.minimums, kSpec.codes == KvCodes::kTable, kSpec.bits == 8>};
}

/// Writes one position without touching others.
[[gnu::noinline]] void store_blocks(const BlockWriter& type, void* page, int slot, const float* x, int64_t dim,
                                    bool keys) {
  const KvBlockPlaces places = kv_block_places(type.spec, dim);
  const int64_t whole = dim / kKvBlock;
  for (int64_t first = 0; first < places.blocks;) {  // whole blocks together, then what is left
    const int64_t most = whole - first < kLanes ? whole - first : kLanes, count = most > 0 ? most : 1;
    const int64_t n = most > 0 ? kKvBlock : dim - first * kKvBlock;
    alignas(64) float rows[kKvBlock * kLanes] = {};
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t e = 0; e < n; ++e) rows[e * kLanes + i] = x[(first + i) * kKvBlock + e];
    }
    LaneCodes codes;
    type.encode(codes, {rows, n}, *type.levels);
    LaneWords words;
    pack_codes(words, codes.code, type.spec.bits, keys);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t b = first + i, at = slot * places.blocks + b, column = b * kPageTokens + slot;
      for (int w = 0; w < words.n_codes; ++w) {
        const auto word = static_cast<uint32_t>(words.word[w][i]);
        const int64_t key_at = (b * words.n_codes + w) * kPageTokens + slot;
        put_kv(page, 4 * (keys ? key_at : at * words.n_codes + w),
               keys || type.spec.bits != 8 ? word : word ^ 0x80808080u);
      }
      if (type.spec.bits == 5) put_kv(page, places.fifth + 4 * (keys ? column : at), words.word[words.n_codes][i]);
      put_kv(page, places.scales + 2 * column, codes.scale[i]);
      if (type.spec.minimums) put_kv(page, places.minimums + 2 * column, codes.minimum[i]);
    }
    first += count;
  }
}

}  // namespace
}  // namespace hearth::kernels
