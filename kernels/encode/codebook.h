// The search of the IQ types, whose codes name vectors of a codebook: IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S
// (magnitudes, with signs beside them) and IQ1_S, IQ1_M (-1, 0, 1, all of them shifted by an eighth).
//
// For a scale s the best entry is the one nearest to x / s in the weighted distance. That distance is a sum over
// elements of something that depends on one level only; so it is summed once for every number that either half of a
// vector may be (Book), and an entry costs one addition. While scales are searched, only the 16 entries nearest to the
// elements rounded one by one are looked at. The final codes are the best of the whole codebook, of which most is
// passed over: the low half alone is too far away.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/part.h"
#include "kernels/encode/superblocks.h"
#include "kernels/reference/codebook_lists.h"

namespace hearth::kernels {
namespace {

using reference::Book;
using reference::BookName;

/// Eight elements in units of the scale (magnitudes where signs are apart), their weights, and what is added to every
/// level.
struct Eight {
  alignas(32) float b[kLanes];
  alignas(32) float w[kLanes];
  float shift = 0.0f;
  int level[kLanes];  ///< the nearest of each
};

/// Costs of every half of one vector: sum of w ((b - v)^2 - b^2). flip: what the cheapest wrong sign in the half costs.
struct HalfCosts {
  alignas(32) float cost[2][Book::kMaxHalf];
  alignas(32) float flip[2][Book::kMaxHalf];
  float least_high;
};

/// The best entries of one vector: with the natural signs, and with one sign wrong.
struct Found {
  int entry = 0, flipped = 0;
  float cost = __builtin_inff(), flipped_cost = __builtin_inff();
};

/// Costs of the values of a digit, by the elements k (and k + 1) of the eight.
inline void cost_digit(float* cost, float* flip, const Book& book, const Eight& x, int k, bool with_flips) {
  const Lanes infinite = fill(__builtin_inff());
  for (int first = 0; first < book.n_digit; first += kLanes) {
    Lanes sum{}, cheapest = infinite;
    for (int e = 0; e < (book.n_levels == 3 ? 2 : 1); ++e) {
      const Lanes v = load_lanes(book.digit[e] + first) + x.shift;
      const float b = x.b[k + e], w = x.w[k + e];
      sum += w * v * (v - 2.0f * b);
      const Lanes wrong = 4.0f * w * b * v;
      cheapest = wrong < cheapest ? wrong : cheapest;
    }
    store_lanes(cost + first, sum);
    if (with_flips) store_lanes(flip + first, cheapest);
  }
}

/// For the vector whose first element is number k of the eight.
inline void cost_halves(HalfCosts& to, const Book& book, const Eight& x, int k, bool with_flips) {
  const int in_digit = book.n_levels == 3 ? 2 : 1;
  Lanes least = fill(__builtin_inff());
  float least_last = __builtin_inff();
  for (int half = 0; half < 2; ++half) {
    alignas(32) float cost[2][16], flip[2][16];
    for (int d = 0; d < 2; ++d) cost_digit(cost[d], flip[d], book, x, k + in_digit * (2 * half + d), with_flips);
    for (int high = 0; high < book.n_digit; ++high) {
      for (int low = 0; low < book.stride; low += kLanes) {
        const Lanes sum = load_lanes(cost[0] + low) + cost[1][high];
        store_lanes(to.cost[half] + book.stride * high + low, sum);
        if (half == 1 && low == 0) least = sum < least ? sum : least;
        if (half == 1 && low != 0) least_last = sum[0] < least_last ? sum[0] : least_last;
        if (!with_flips) continue;
        const Lanes a = load_lanes(flip[0] + low), b = fill(flip[1][high]);
        store_lanes(to.flip[half] + book.stride * high + low, a < b ? a : b);
      }
    }
  }
  const float least_first = least_of_sides(least)[0];
  to.least_high = least_first < least_last ? least_first : least_last;
}

inline void look_at(Found& found, const HalfCosts& costs, const Book& book, int e, bool with_flips) {
  const int low = book.half[e][0], high = book.half[e][1];
  const float cost = costs.cost[0][low] + costs.cost[1][high];
  if (cost < found.cost) {
    found.cost = cost;
    found.entry = e;
  }
  if (!with_flips) return;
  const float a = costs.flip[0][low], b = costs.flip[1][high];
  const float flipped = cost + (a < b ? a : b);
  if (flipped < found.flipped_cost) {
    found.flipped_cost = flipped;
    found.flipped = e;
  }
}

/// Fills in elements, weights and nearest levels.
inline void set_eight(Eight& to, const Book& book, Lanes b, Lanes w, float shift) {
  store_lanes(to.b, b);
  store_lanes(to.w, w);
  to.shift = shift;
  const Lanes twice = 2.0f * (b - shift);
  IntLanes level{};
  for (int l = 0; l + 1 < book.n_levels; ++l) {
    level -= twice > static_cast<float>(book.levels[l] + book.levels[l + 1]);
  }
  __builtin_memcpy(to.level, &level, sizeof level);
}

/// Number of the nearest levels of a vector: sum of level * n_levels^k.
inline int pattern_of(const Book& book, const Eight& x, int first) {
  int pattern = 0;
  for (int k = book.dims - 1; k >= 0; --k) pattern = pattern * book.n_levels + x.level[first + k];
  return pattern;
}

inline Found search_book(const Book& book, const Eight& x, int first, bool with_flips, bool exact) {
  HalfCosts costs;
  cost_halves(costs, book, x, first, with_flips);
  Found found;
  const uint16_t* near = book.near[pattern_of(book, x, first)];
  for (int i = 0; i < Book::kNear; ++i) look_at(found, costs, book, near[i], with_flips);
  if (!exact) return found;
  for (int low = 0; low < book.stride * book.n_digit; ++low) {
    const float bound = costs.cost[0][low] + costs.least_high;
    if (bound >= (with_flips ? found.flipped_cost : found.cost)) continue;
    for (int i = book.first[low]; i < book.first[low + 1]; ++i) look_at(found, costs, book, book.by_low[i], with_flips);
  }
  return found;
}

/// Values of an entry, a lane each; 0 behind its last.
inline Lanes entry_values(const Book& book, int entry) {
  using SignedBytes = int8_t __attribute__((vector_size(8)));
  SignedBytes bytes;
  __builtin_memcpy(&bytes, book.value[entry], sizeof bytes);
  return __builtin_convertvector(bytes, Lanes);
}

/// What a sub-block of at most 32 elements becomes.
struct Coded {
  uint16_t entry[8];
  uint8_t signs[4];            ///< of eight elements each
  bool negative[4];            ///< IQ1: the shift of eight elements
  float error = 0.0f;          ///< sum of w (x - y)^2
  float xq = 0.0f, qq = 0.0f;  ///< for the least squares of the scale
};

/// Kinds of types.
struct BookShape {
  BookName name;
  int n_sub;        ///< sub-blocks of a superblock
  float factor;     ///< the scale of a code is d * factor * (0.5 + whole)
  int top;          ///< largest whole number
  bool even_signs;  ///< an even number of the signs of eight elements is set
};

/// Sums over a sub-block, a lane for every eighth element.
struct CodedSums {
  Lanes error{}, xq{}, qq{};

  void add(const Part& p, int first, Lanes v, float scale) {
    const Lanes x = load_lanes(p.x + first), w = load_lanes(p.w + first);
    const Lanes difference = x - scale * v;
    error += w * difference * difference;
    xq += w * x * v;
    qq += w * v * v;
  }
  void put(Coded& to) const {
    to.error = sum_of_sides(error)[0];
    to.xq = sum_of_sides(xq)[0];
    to.qq = sum_of_sides(qq)[0];
  }
};

/// Bit k: whether element k is negative.
inline int sign_bits(Lanes x) {
  int bits = 0;
  for (int k = 0; k < kLanes; ++k) bits |= (x[k] < 0.0f ? 1 : 0) << k;
  return bits;
}

/// The element of a vector, its first one being number `first` of the eight, whose wrong sign costs least.
inline int cheapest_sign(const Book& book, const Eight& x, Lanes value, int first) {
  Lanes cost = load_lanes(x.w) * load_lanes(x.b) * value;
  for (int k = 0; k < kLanes; ++k) {
    if (k < first || k >= first + book.dims) cost[k] = __builtin_inff();
  }
  return Cheapest(cost).at[0];
}

/// Codes of a sub-block for a scale; magnitudes and signs.
inline Coded code_signed(const Book& book, const BookShape& shape, const Part& p, float scale, bool exact) {
  Coded to;
  CodedSums sums;
  const float inverse_scale = 1.0f / scale;
  const bool two = book.dims == 4;
  for (int eight = 0; eight < p.n / 8; ++eight) {
    const Lanes x = load_lanes(p.x + 8 * eight);
    Eight e;
    set_eight(e, book, magnitude(x) * inverse_scale, load_lanes(p.w + 8 * eight), 0.0f);
    int signs = sign_bits(x);
    const bool odd = shape.even_signs && __builtin_popcount(static_cast<unsigned>(signs)) % 2 != 0;
    Found found[2];
    for (int v = 0; v < (two ? 2 : 1); ++v) found[v] = search_book(book, e, 4 * v, odd, exact);
    // Where one sign must be wrong, in which vector it costs least.
    const int wrong = two && found[1].flipped_cost - found[1].cost < found[0].flipped_cost - found[0].cost ? 1 : 0;
    if (odd) found[wrong].entry = found[wrong].flipped;
    Lanes value = entry_values(book, found[0].entry);
    if (two) {
      const Lanes second = entry_values(book, found[1].entry);
      for (int k = 0; k < 4; ++k) value[k + 4] = second[k];
    }
    if (odd) signs ^= 1 << cheapest_sign(book, e, value, 4 * wrong);
    for (int v = 0; v < (two ? 2 : 1); ++v) {
      to.entry[(two ? 2 : 1) * eight + v] = static_cast<uint16_t>(found[v].entry);
    }
    to.signs[eight] = static_cast<uint8_t>(signs);
    for (int k = 0; k < kLanes; ++k) value[k] = ((signs >> k) & 1) != 0 ? -value[k] : value[k];
    sums.add(p, 8 * eight, value, scale);
  }
  sums.put(to);
  return to;
}

/// Codes of a sub-block of IQ1: the shift is that of the whole sub-block where this has 32 elements (IQ1_S), or of each
/// eight.
inline Coded code_ternary(const Book& book, const BookShape& shape, const Part& p, float scale, bool exact) {
  Coded to;
  CodedSums sums;
  const float inverse_scale = 1.0f / scale;
  Found found[2][4];
  float cost[2] = {0.0f, 0.0f};
  for (int eight = 0; eight < p.n / 8; ++eight) {
    for (int negative = 0; negative < 2; ++negative) {
      Eight e;
      set_eight(e, book, load_lanes(p.x + 8 * eight) * inverse_scale, load_lanes(p.w + 8 * eight),
                negative != 0 ? -1.0f : 1.0f);
      found[negative][eight] = search_book(book, e, 0, false, exact);
      cost[negative] += found[negative][eight].cost;
    }
  }
  for (int eight = 0; eight < p.n / 8; ++eight) {
    const bool negative = shape.n_sub == 8 ? cost[1] < cost[0] : found[1][eight].cost < found[0][eight].cost;
    to.entry[eight] = static_cast<uint16_t>(found[negative ? 1 : 0][eight].entry);
    to.negative[eight] = negative;
    sums.add(p, 8 * eight, entry_values(book, to.entry[eight]) + (negative ? -1.0f : 1.0f), scale);
  }
  sums.put(to);
  return to;
}

inline Coded code_part(const Book& book, const BookShape& shape, const Part& p, float scale, bool exact) {
  return shape.name == BookName::kIQ1 ? code_ternary(book, shape, p, scale, exact)
                                      : code_signed(book, shape, p, scale, exact);
}

/// The best real scale of a sub-block: starting points about the largest magnitude, then codes and scale in turn.
inline float fit_book_scale(const Book& book, const BookShape& shape, const Part& p, bool weighted) {
  weighted = weighted || has_few_values(p.x, p.n);
  const float largest = largest_magnitude(p)[0];
  if (largest < 1e-12f) return 0.0f;
  const float top = static_cast<float>(book.levels[book.n_levels - 1]);
  float best_gain = 0.0f, best = 0.0f;
  const auto look = [&](float scale) {
    const Coded coded = code_part(book, shape, p, scale, false);
    const float fitted = coded.qq > 0.0f ? coded.xq / coded.qq : 0.0f;
    if (fitted > 0.0f && fitted * coded.xq > best_gain) {
      best_gain = fitted * coded.xq;
      best = fitted;
    }
  };
  float factor = weighted ? 0.25f : 0.45f;
  for (int i = 0; i < (weighted ? 14 : 7); ++i, factor *= weighted ? 1.13f : 1.19f) look(factor * largest / top);
  for (int round = 0; round < 2 && best > 0.0f; ++round) look(best);
  return best;
}

/// Whole scales of all sub-blocks for a unit; the sum of errors, and the best unit for what was chosen.
inline float choose_whole_scales(int* whole, Coded* coded, const Loaded& x, const Book& book, const BookShape& shape,
                                 const float* best, float* unit, bool exact) {
  const int n = 256 / shape.n_sub;
  float error = 0.0f, numerator = 0.0f, denominator = 0.0f;
  for (int j = 0; j < shape.n_sub; ++j) {
    const Part p = x.part(n * j, n);
    const float wished = best[j] / *unit - 0.5f;
    const auto top = static_cast<float>(shape.top);
    const int middle = static_cast<int>(__builtin_rintf(wished < top ? wished > 0.0f ? wished : 0.0f : top));
    float least = __builtin_inff();
    for (int s = middle - 1; s <= middle + 1; ++s) {
      if (s < 0 || s > shape.top) continue;
      const Coded tried = code_part(book, shape, p, *unit * (0.5f + static_cast<float>(s)), false);
      if (tried.error >= least) continue;
      least = tried.error;
      coded[j] = tried;
      whole[j] = s;
    }
    if (exact) coded[j] = code_part(book, shape, p, *unit * (0.5f + static_cast<float>(whole[j])), true);
    const float t = 0.5f + static_cast<float>(whole[j]);
    error += coded[j].error;
    numerator += t * coded[j].xq;
    denominator += t * t * coded[j].qq;
  }
  if (denominator > 0.0f) *unit = numerator / denominator;
  return error;
}

struct CodedSuperblock {
  uint16_t d = 0;
  int whole[16] = {};
  Coded part[16] = {};
};

/// The whole search: best scales of sub-blocks; the unit that the widest of them sets; then whole scales for the unit
/// and the unit for these, in turn.
inline CodedSuperblock encode_by_book(const BookShape& shape, const float* x, const float* w) {
  CodedSuperblock to;
  Loaded loaded;
  load(loaded, x, w, 256);
  if (loaded.is_zero) return to;
  const Book& book = reference::find_book(shape.name);
  float best[16], widest = 0.0f;
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; ++j) {
    best[j] = fit_book_scale(book, shape, loaded.part(n * j, n), loaded.weighted);
    widest = best[j] > widest ? best[j] : widest;
  }
  float unit = widest / (0.5f + static_cast<float>(shape.top));
  float least = signal_of(loaded.part(0, 256));  // of zeros
  const auto look = [&](uint16_t d) {
    unit = scale_of_bits(d, loaded.unit) * shape.factor;
    CodedSuperblock tried;
    if (!(unit > 0.0f)) return false;
    const float error = choose_whole_scales(tried.whole, tried.part, loaded, book, shape, best, &unit, false);
    if (error >= least) return false;
    least = error;
    to = tried;
    to.d = d;
    return true;
  };
  for (int round = 0; round < 2; ++round) {
    if (!look(scale_bits(unit / shape.factor, loaded.unit))) break;
  }
  for (int whole = 0; whole < shape.top && has_few_values(loaded.x, 256); ++whole) {
    look(scale_bits(widest / (0.5f + static_cast<float>(whole)) / shape.factor, loaded.unit));
  }
  for (uint16_t d = 1; loaded.unit < kTinyUnit && d <= 16; ++d) look(d);
  const float settled = scale_of_bits(to.d, loaded.unit) * shape.factor;
  for (int j = 0; j < shape.n_sub && settled > 0.0f; ++j) {
    to.part[j] =
        code_part(book, shape, loaded.part(n * j, n), settled * (0.5f + static_cast<float>(to.whole[j])), true);
  }
  return to;
}

}  // namespace
}  // namespace hearth::kernels
