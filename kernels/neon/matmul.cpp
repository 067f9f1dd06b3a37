// Panels of integer codes multiplied by groups of quantized activations, by 8-bit multiplications of Armv8.0.
#include "kernels/neon/matmul.h"

#include "kernels/neon/values.h"

namespace hearth::kernels::neon {
namespace {

/// Codes of a group's columns apart: [nb][n_cols][32].
template <int kCols>
HEARTH_INLINE void part_columns(int8_t* out, const ActGroup& x, int64_t nb) {
  const int8_t* q = x.q;
  for (int64_t b = 0; b < nb; ++b, out += kCols * kActBlock) {
#pragma GCC unroll 8
    for (int step = 0; step < 8; ++step, q += 4 * kCols) {
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) __builtin_memcpy(out + c * kActBlock + 4 * step, q + 4 * c, 4);
    }
  }
}

/// Four rows times kCols columns: the codes of a block stay in registers while its columns pass.
template <int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_group(float* acc, const char* panel, const int8_t* q, const ActGroup& x, int64_t nb,
                                  bool first, int group) {
  float32x4_t total[kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) total[c] = first ? vdupq_n_f32(0.0f) : vld1q_f32(acc + c * kPanelRows);
  const float* d = x.d;
  const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kCols, q += kCols * kActBlock) {
    prefetch_ahead<kPanelGroups>(x, b, group);
    int8x16_t w[4][2];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      w[r][0] = load_codes(panel + r * kActBlock);
      w[r][1] = load_codes(panel + r * kActBlock + 16);
    }
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const int8x16_t codes[2] = {vld1q_s8(q + c * kActBlock), vld1q_s8(q + c * kActBlock + 16)};
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        const int32x4_t sum = kHalves == 1 ? dot_block<Products>(w, codes) : dot_half<Products>(w, codes, half);
        const float32x4_t scale = load_factors(panel, kScalesAt + 16 * half);
        total[c] = add_scaled<0>(total[c], sum, scale, vdupq_n_f32(d[c]));
        if (kMin) {
          const float32x4_t min = load_factors(panel, kMinsAt + 16 * half);
          total[c] = less_min<0>(total[c], min, vdupq_n_f32(sums[half * kCols + c]));
        }
      }
    }
    sums += kHalves * kCols;
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) vst1q_f32(acc + c * kPanelRows, total[c]);
}

template <int kCols, int kHalves, bool kMin>
__attribute__((noinline)) void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  alignas(16) int8_t q[kPanelBlocks * kActBlock * kCols];
  part_columns<kCols>(q, x, nb);
  for (int g = 0; g < kPanelGroups; ++g) {
    multiply_group<kCols, kHalves, kMin>(acc + kGroupRows * g, panel + g * kGroupStride, q, x, nb, first, g);
  }
}

}  // namespace

#include "kernels/arm/define_multiply.inc"

}  // namespace hearth::kernels::neon
