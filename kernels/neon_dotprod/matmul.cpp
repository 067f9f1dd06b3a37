// Panels of integer codes multiplied by groups of quantized activations, by SDOT with a lane of activations.
#include "kernels/neon_dotprod/matmul.h"

#include "kernels/neon_dotprod/values.h"

namespace hearth::kernels::neon_dotprod {
namespace {

constexpr int kGroups = 2;  // of four rows at once: 12 sums and 12 totals in 32 registers

/// Up to six columns' numbers of one step or block. What is loaded beyond the last column lies in the group, too, and
/// takes no part.
struct Six {
  int8x16_t first;  ///< columns 0..3
  int8x8_t last;    ///< columns 4 and 5
};
template <int kCols>
HEARTH_INLINE Six load_six(const int8_t* p) {
  return {vld1q_s8(p), kCols > 4 ? vld1_s8(p + 16) : vdup_n_s8(0)};
}
template <int kColumn>
HEARTH_INLINE int32x4_t add_dots(int32x4_t sum, int8x16_t w, const Six& q) {
  if constexpr (kColumn < 4) {
    return vdotq_laneq_s32(sum, w, q.first, kColumn);
  } else {
    return vdotq_lane_s32(sum, w, q.last, kColumn - 4);
  }
}
struct SixFloats {
  float32x4_t first, last;
};
template <int kCols>
HEARTH_INLINE SixFloats load_six(const float* p) {
  return {vld1q_f32(p), kCols > 4 ? vcombine_f32(vld1_f32(p + 4), vdup_n_f32(0.0f)) : vdupq_n_f32(0.0f)};
}

/// Changes nothing, but what is loaded next waits for the sums so far: left to itself GCC 12 loads a whole block first,
/// for which registers do not suffice, and keeps the totals in memory.
template <typename Vector, int kCols>
HEARTH_INLINE void in_order(Vector (&dot)[kGroups][kCols], const char*& panel, const int8_t*& q) {
  static_assert(kGroups == 2);
  if constexpr (kCols == 6) {
    __asm__(""
            : "+w"(dot[0][0]), "+w"(dot[0][1]), "+w"(dot[0][2]), "+w"(dot[0][3]), "+w"(dot[0][4]), "+w"(dot[0][5]),
              "+w"(dot[1][0]), "+w"(dot[1][1]), "+w"(dot[1][2]), "+w"(dot[1][3]), "+w"(dot[1][4]), "+w"(dot[1][5]),
              "+r"(panel), "+r"(q));
  } else if constexpr (kCols >= 4) {
    __asm__(""
            : "+w"(dot[0][0]), "+w"(dot[0][1]), "+w"(dot[0][2]), "+w"(dot[0][3]), "+w"(dot[1][0]), "+w"(dot[1][1]),
              "+w"(dot[1][2]), "+w"(dot[1][3]), "+r"(panel), "+r"(q));
  }
}

/// Eight rows times kCols columns.
template <int kCols, int kHalves, bool kMin>
__attribute__((noinline)) void multiply_groups(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first,
                                               int pass) {
  float32x4_t total[kGroups][kCols];
  load_totals(total, acc, first);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kCols) {
    prefetch_ahead<kPanelGroups / kGroups>(x, b, pass);
    const SixFloats scale_of_acts = load_six<kCols>(d);
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      constexpr int kSteps = 8 / kHalves;
      int32x4_t dot[kGroups][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = vdupq_n_s32(0);
#pragma GCC unroll 8
      for (int s = 0; s < kSteps; ++s, q += 4 * kCols) {
        const char* codes = panel + (half * kSteps + s) * 16;
        const int8x16_t w[kGroups] = {load_codes(codes), load_codes(codes + kGroupStride)};
        const Six acts = load_six<kCols>(q);
        each<0, kCols>([&]<int c>() HEARTH_INLINE_LAMBDA {
          dot[0][c] = add_dots<c>(dot[0][c], w[0], acts);
          dot[1][c] = add_dots<c>(dot[1][c], w[1], acts);
        });
        in_order(dot, panel, q);
      }
      const SixFloats act_sums = kMin ? load_six<kCols>(sums) : SixFloats{};
      if (kMin) sums += kCols;
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const char* factors = panel + g * kGroupStride + 16 * half;
        const float32x4_t scale = load_factors(factors, kScalesAt);
        const float32x4_t min = kMin ? load_factors(factors, kMinsAt) : vdupq_n_f32(0.0f);
        each<0, kCols>([&]<int c>() HEARTH_INLINE_LAMBDA {
          const float32x4_t of_acts = c < 4 ? scale_of_acts.first : scale_of_acts.last;
          total[g][c] = add_scaled<c % 4>(total[g][c], dot[g][c], scale, of_acts);
          if (kMin) total[g][c] = less_min<c % 4>(total[g][c], min, c < 4 ? act_sums.first : act_sums.last);
        });
      }
      in_order(total, panel, q);
    }
  }
  store_totals(acc, total);
}

template <int kHalves, bool kMin>
HEARTH_INLINE void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  for (int pass = 0; pass < kPanelGroups / kGroups; ++pass) {
    const char* p = static_cast<const char*>(panel) + pass * kGroups * kGroupStride;
    float* out = acc + pass * kGroups * kGroupRows;
    with_columns(x.n_cols, [&]<int kCols>() HEARTH_INLINE_LAMBDA {
      multiply_groups<kCols, kHalves, kMin>(out, p, x, nb, first, pass);
    });
  }
}

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::neon_dotprod
