// Panels of integer codes multiplied by groups of quantized activations, two columns of words at a time.
#include "kernels/wasm/matmul.h"

#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {
namespace {

constexpr int kGroups = 2;  // of four rows at once: twelve sums of six columns, and what they are added up from
constexpr int kSteps = kActBlock / 2;

/// Codes of a group as words, in the same order: two of a column are a lane of a step.
template <int kCols>
HEARTH_INLINE void widen_acts(int16_t* out, const ActGroup& x, int64_t nb) {
  for (int64_t i = 0; i < nb * kActBlock * kCols; i += 8) {
    wasm_v128_store(out + i, wasm_i16x8_load8x8(x.q + i));
  }
}

/// Eight rows times kCols columns.
template <int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_groups(float* acc, const char* panel, const int16_t* q, const ActGroup& x, int64_t nb,
                                   bool first) {
  float32x4_t total[kGroups][kCols];
  load_totals(total, acc, first);
  const float* d = x.d;
  const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kCols) {
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      int32x4_t dot[kGroups][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = vdupq_n_s32(0);
#pragma GCC unroll 16
      for (int s = 0; s < kSteps / kHalves; s += 2, q += 4 * kCols) {
#pragma GCC unroll 2
        for (int pair = 0; pair < 2; ++pair) {
          const char* codes = panel + (half * (kSteps / kHalves) + s + pair) * 2 * kGroupRows;
          const auto low = bits_as<int16x8_t>(wasm_i16x8_load8x8(codes));
          const auto high = bits_as<int16x8_t>(wasm_i16x8_load8x8(codes + kGroupStride));
#pragma GCC unroll 6
          for (int c = 0; c < kCols; ++c) {
            const auto act = bits_as<int16x8_t>(wasm_v128_load32_splat(q + 4 * c + 2 * pair));
            dot[0][c] += dot_words(low, act);
            dot[1][c] += dot_words(high, act);
          }
        }
      }
      add_sums<kMin>(total, dot, panel + 16 * half, d, sums);
      if (kMin) sums += kCols;
    }
  }
  store_totals(acc, total);
}

template <int kCols, int kHalves, bool kMin>
__attribute__((noinline)) void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  alignas(16) int16_t q[kPanelBlocks * kActBlock * kCols];
  widen_acts<kCols>(q, x, nb);
  for (int g = 0; g < kPanelGroups; g += kGroups) {
    multiply_groups<kCols, kHalves, kMin>(acc + kGroupRows * g, panel + g * kGroupStride, q, x, nb, first);
  }
}

}  // namespace

#include "kernels/arm/define_multiply.inc"

}  // namespace hearth::kernels::wasm
