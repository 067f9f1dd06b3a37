// Panels of integer codes multiplied by groups of quantized activations, two rows by two columns at once, by SMMLA.
#include "kernels/neon_i8mm/matmul.h"

#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {
namespace {

constexpr int kGroups = 2;              // of four rows at once
constexpr int kRowPairs = 2 * kGroups;  // with six columns 12 registers of sums and 12 of totals
constexpr int kStepBytes = 32;          // of a panel: eight columns of a group

/// Codes of pairs of columns, eight of one and eight of the other: [nb][4 steps][pairs][16]. An odd last column stands
/// beside what is no column.
template <int kCols>
HEARTH_INLINE void pair_columns(int8_t* out, const ActGroup& x, int64_t nb) {
  const int8_t* q = x.q;
  for (int64_t step = 0; step < 4 * nb; ++step, q += 8 * kCols) {
#pragma GCC unroll 3
    for (int c = 0; c + 1 < kCols; c += 2, out += 16) {
      const int32x2_t first = vreinterpret_s32_s8(vld1_s8(q + 4 * c));
      const int32x2_t second = vreinterpret_s32_s8(vld1_s8(q + 4 * (kCols + c)));
      vst1_s8(out, vreinterpret_s8_s32(vzip1_s32(first, second)));
      vst1_s8(out + 8, vreinterpret_s8_s32(vzip2_s32(first, second)));
    }
    if (kCols % 2 == 1) {
      __builtin_memcpy(out, q + 4 * (kCols - 1), 4);
      __builtin_memcpy(out + 4, q + 4 * (2 * kCols - 1), 4);
      vst1_s8(out + 8, vdup_n_s8(0));
      out += 16;
    }
  }
}

/// Two columns' numbers, twice. What is loaded beyond an odd last column lies in the group, too, and takes no part.
HEARTH_INLINE float32x4_t load_pair(const float* p) {
  double both;
  __builtin_memcpy(&both, p, sizeof both);
  return vreinterpretq_f32_f64(vdupq_n_f64(both));
}

/// Changes nothing, but what is loaded next waits for the sums so far: left to itself GCC 12 loads a whole block first,
/// for which registers do not suffice, and keeps the totals in memory.
template <typename Vector, int kPairs>
HEARTH_INLINE void in_order(Vector (&v)[kRowPairs][kPairs], const char*& panel, const int8_t*& q) {
  static_assert(kRowPairs == 4);
  if constexpr (kPairs == 3) {
    __asm__(""
            : "+w"(v[0][0]), "+w"(v[0][1]), "+w"(v[0][2]), "+w"(v[1][0]), "+w"(v[1][1]), "+w"(v[1][2]), "+w"(v[2][0]),
              "+w"(v[2][1]), "+w"(v[2][2]), "+w"(v[3][0]), "+w"(v[3][1]), "+w"(v[3][2]), "+r"(panel), "+r"(q));
  } else if constexpr (kPairs == 2) {
    __asm__(""
            : "+w"(v[0][0]), "+w"(v[0][1]), "+w"(v[1][0]), "+w"(v[1][1]), "+w"(v[2][0]), "+w"(v[2][1]), "+w"(v[3][0]),
              "+w"(v[3][1]), "+r"(panel), "+r"(q));
  }
}

/// Eight rows times kPairs pairs of columns. Totals have a lane for each row and column of a pair, as the sums do; acc
/// has a lane a row.
template <int kCols, int kHalves, bool kMin>
__attribute__((noinline)) void multiply_groups(float* acc, const char* panel, const int8_t* q, const ActGroup& x,
                                               int64_t nb, bool first, int pass) {
  constexpr int kPairs = (kCols + 1) / 2;
  float32x4_t total[kRowPairs][kPairs];
#pragma GCC unroll 3
  for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const float* at = acc + 2 * p * kPanelRows + g * kGroupRows;
      const float32x4_t a = first ? vdupq_n_f32(0.0f) : vld1q_f32(at);
      const float32x4_t b = first || 2 * p + 1 == kCols ? vdupq_n_f32(0.0f) : vld1q_f32(at + kPanelRows);
      total[2 * g][p] = vzip1q_f32(a, b);
      total[2 * g + 1][p] = vzip2q_f32(a, b);
    }
  }
  const float* d = x.d;
  const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kCols) {
    prefetch_ahead<kPanelGroups / kGroups>(x, b, pass);
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      constexpr int kSteps = 4 / kHalves;
      int32x4_t dot[kRowPairs][kPairs];
#pragma GCC unroll 4
      for (int r = 0; r < kRowPairs; ++r) {
#pragma GCC unroll 3
        for (int p = 0; p < kPairs; ++p) dot[r][p] = vdupq_n_s32(0);
      }
#pragma GCC unroll 4
      for (int s = 0; s < kSteps; ++s, q += 16 * kPairs) {
        const char* codes = panel + (half * kSteps + s) * kStepBytes;
        int8x16_t acts[kPairs];
#pragma GCC unroll 3
        for (int p = 0; p < kPairs; ++p) acts[p] = vld1q_s8(q + 16 * p);
#pragma GCC unroll 4
        for (int r = 0; r < kRowPairs; ++r) {
          const int8x16_t w = load_codes(codes + r / 2 * kGroupStride + r % 2 * 16);
#pragma GCC unroll 3
          for (int p = 0; p < kPairs; ++p) dot[r][p] = vmmlaq_s32(dot[r][p], w, acts[p]);
        }
        in_order(dot, panel, q);
      }
      float32x4_t of_acts[kPairs], act_sums[kPairs];
#pragma GCC unroll 3
      for (int p = 0; p < kPairs; ++p) {
        of_acts[p] = load_pair(d + 2 * p);
        act_sums[p] = kMin ? load_pair(sums + 2 * p) : vdupq_n_f32(0.0f);
      }
      if (kMin) sums += kCols;
#pragma GCC unroll 4
      for (int r = 0; r < kRowPairs; ++r) {
        const char* factors = panel + r / 2 * kGroupStride + 16 * half;
        const float32x4_t scales = load_factors(factors, kScalesAt);
        const float32x4_t scale = r % 2 == 0 ? vzip1q_f32(scales, scales) : vzip2q_f32(scales, scales);
        const float32x4_t mins = kMin ? load_factors(factors, kMinsAt) : vdupq_n_f32(0.0f);
        const float32x4_t min = r % 2 == 0 ? vzip1q_f32(mins, mins) : vzip2q_f32(mins, mins);
#pragma GCC unroll 3
        for (int p = 0; p < kPairs; ++p) {
          total[r][p] = vfmaq_f32(total[r][p], vmulq_f32(vcvtq_f32_s32(dot[r][p]), scale), of_acts[p]);
          if (kMin) total[r][p] = vfmsq_f32(total[r][p], min, act_sums[p]);
        }
      }
      in_order(total, panel, q);
    }
  }
#pragma GCC unroll 3
  for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      float* at = acc + 2 * p * kPanelRows + g * kGroupRows;
      vst1q_f32(at, vuzp1q_f32(total[2 * g][p], total[2 * g + 1][p]));
      if (2 * p + 1 < kCols) vst1q_f32(at + kPanelRows, vuzp2q_f32(total[2 * g][p], total[2 * g + 1][p]));
    }
  }
}

template <int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  alignas(16) int8_t q[kPanelBlocks * kActBlock * ((kCols + 1) / 2 * 2)];
  pair_columns<kCols>(q, x, nb);
  for (int pass = 0; pass < kPanelGroups / kGroups; ++pass) {
    multiply_groups<kCols, kHalves, kMin>(acc + pass * kGroups * kGroupRows, panel + pass * kGroups * kGroupStride, q,
                                          x, nb, first, pass);
  }
}

}  // namespace

#include "kernels/arm/define_multiply.inc"

}  // namespace hearth::kernels::neon_i8mm
