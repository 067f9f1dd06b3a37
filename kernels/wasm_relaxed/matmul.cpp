// Panels of integer codes multiplied by groups of quantized activations, four columns of bytes at a time.
#include "kernels/wasm_relaxed/matmul.h"

#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {
namespace {

constexpr int kGroups = 2;  // of four rows at once: twelve sums of six columns
constexpr int kSteps = kActBlock / 4;

/// How the codes of a panel are stored; see values.h.
enum class Codes { kSmall, kBiased, kWide };

/// -kBias times the sums of activations: [nb][kHalves][kCols].
template <int kCols, int kHalves>
HEARTH_INLINE void sum_acts(int32_t* out, const ActGroup& x, int64_t nb) {
  const int8_t* q = x.q;
  for (int64_t b = 0; b < nb * kHalves; ++b, q += kSteps / kHalves * 4 * kCols, out += kCols) {
#pragma GCC unroll 2
    for (int c = 0; c < kCols;
         c += 4) {  // bytes of other planes follow those of the last columns, and their sums are dropped
      int32x4_t sums = vdupq_n_s32(0);
#pragma GCC unroll 8
      for (int s = 0; s < kSteps / kHalves; ++s) {
        sums = add_products(sums, vld1q_s8(q + 4 * (s * kCols + c)), vdupq_n_s8(1));
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        if (c + i < kCols) out[c + i] = -kBias * sums[i];
      }
    }
  }
}

/// Eight rows times kCols columns.
template <int kCols, int kHalves, bool kMin, Codes kCodes>
HEARTH_INLINE void multiply_groups(float* acc, const char* panel, const int32_t* begin, const ActGroup& x, int64_t nb,
                                   bool first) {
  float32x4_t total[kGroups][kCols];
  load_totals(total, acc, first);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kCols) {
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      int32x4_t dot[kGroups][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = vdupq_n_s32(kCodes == Codes::kBiased ? begin[c] : 0);
      begin += kCodes == Codes::kBiased ? kCols : 0;
      const char* codes = panel + half * (kSteps / kHalves) * 4 * kGroupRows;
      const auto add_step = [&](int s, int8x16_t low, int8x16_t high) HEARTH_INLINE_LAMBDA {
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          const auto act = bits_as<int8x16_t>(wasm_v128_load32_splat(q + 4 * (s * kCols + c)));
          dot[0][c] = add_products(dot[0][c], act, low);
          dot[1][c] = add_products(dot[1][c], act, high);
        }
      };
      if constexpr (kCodes == Codes::kWide) {
#pragma GCC unroll 8
        for (int s = 0; s < kSteps / kHalves; ++s) {
          const auto sign = [&](int64_t at) HEARTH_INLINE_LAMBDA {
            return bits_as<int8x16_t>(wasm_u8x16_shr(wasm_v128_load(codes + 4 * kGroupRows * s + at), 7));
          };
          add_step(s, sign(0), sign(kGroupStride));
        }
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          dot[0][c] = dot[0][c] * -128;
          dot[1][c] = dot[1][c] * -128;
        }
      }
#pragma GCC unroll 8
      for (int s = 0; s < kSteps / kHalves; ++s) {
        int8x16_t low = load_codes(codes + 4 * kGroupRows * s);
        int8x16_t high = load_codes(codes + 4 * kGroupRows * s + kGroupStride);
        if constexpr (kCodes == Codes::kWide) {
          low = low & vdupq_n_s8(127);
          high = high & vdupq_n_s8(127);
        }
        add_step(s, low, high);
      }
      q += kSteps / kHalves * 4 * kCols;
      add_sums<kMin>(total, dot, panel + 16 * half, d, sums);
      if (kMin) sums += kCols;
    }
  }
  store_totals(acc, total);
}

template <int kCols, int kHalves, bool kMin, Codes kCodes>
__attribute__((noinline)) void multiply_stored(float* acc, const char* panel, const ActGroup& x, int64_t nb,
                                               bool first) {
  int32_t begin[kPanelBlocks * kHalves * kCols];
  if constexpr (kCodes == Codes::kBiased) sum_acts<kCols, kHalves>(begin, x, nb);
  for (int g = 0; g < kPanelGroups; g += kGroups) {
    multiply_groups<kCols, kHalves, kMin, kCodes>(acc + kGroupRows * g, panel + g * kGroupStride, begin, x, nb, first);
  }
}

template <int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  if constexpr (kMin) {
    multiply_stored<kCols, kHalves, kMin, Codes::kSmall>(acc, panel, x, nb, first);
  } else if (panel[kWideMarkAt] != 0) {
    multiply_stored<kCols, kHalves, kMin, Codes::kWide>(acc, panel, x, nb, first);
  } else {
    multiply_stored<kCols, kHalves, kMin, Codes::kBiased>(acc, panel, x, nb, first);
  }
}

}  // namespace

#include "kernels/arm/define_multiply.inc"

}  // namespace hearth::kernels::wasm_relaxed
