// Decoders of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4, NVFP4 (layouts:
// reference/codebooks.cpp).
#pragma once

#include "kernels/arm/decode.h"
#include "kernels/arm/decoder_list.h"
#include "kernels/blocks.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels {
namespace {

/// 32 looked-up nibbles from 16 bytes; low nibbles are columns 0..15.
HEARTH_INLINE void looked_up(int8x16_t (&w)[2], const uint8_t* p, const int8_t* table) {
  const uint8x16_t raw = load_16(p);
  const int8x16_t values = vld1q_s8(table);
  w[0] = vqtbl1q_s8(values, low_nibbles(raw));
  w[1] = vqtbl1q_s8(values, high_nibbles(raw));
}

struct DecodeIQ4_NL {
  static constexpr int kBlocks = 1, kHalves = 1, kUnroll = 1, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_NL);
  using State = BlockState<1, kMin>;

  static HEARTH_INLINE void begin(State& state, FourRows rows) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
    state.scale[0] = halves_of(rows, 0);
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    looked_up(w, state.row[r] + 2, reference::kIQ4Values);
  }
};

struct DecodeMXFP4 {
  static constexpr int kBlocks = 1, kHalves = 1, kUnroll = 1, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockMXFP4);
  using State = BlockState<1, kMin>;

  /// Half of 2^(e - 127).
  static HEARTH_INLINE float32x4_t half_of_e8m0(uint32x4_t e) {
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    const uint32x4_t subnormal = vshlq_u32(vdupq_n_u32(0x00200000), vreinterpretq_s32_u32(e));
    return vreinterpretq_f32_u32(vbslq_u32(vcgtq_u32(e, vdupq_n_u32(1)), normal, subnormal));
  }
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
    state.scale[0] = half_of_e8m0(vandq_u32(dwords_of(rows, 0), vdupq_n_u32(255)));
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    looked_up(w, state.row[r] + 1, reference::kFP4Doubled);
  }
};

struct DecodeIQ4_XS {
  static constexpr int kBlocks = 8, kHalves = 1, kUnroll = 1, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_XS);
  using State = BlockState<8, kMin>;

  /// Scale: 6 bits less 32, the lower four in scales_l, the upper two in scales_h.
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    uint32x4_t head[4];
    transpose_16_bytes(head, rows, 0);
    const float32x4_t d = low_halves(head[0]);
    each<0, 8>([&]<int j>() HEARTH_INLINE_LAMBDA {
      uint32x4_t low = head[1];
      if constexpr (j > 0) low = vshrq_n_u32(low, 4 * j);
      const uint32x4_t high = vandq_u32(vshrq_n_u32(head[0], 16 + 2 * j), vdupq_n_u32(3));
      const uint32x4_t scale = vsliq_n_u32(vandq_u32(low, vdupq_n_u32(15)), high, 4);
      state.scale[j] = vmulq_f32(d, vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(scale), vdupq_n_s32(32))));
    });
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    looked_up(w, state.row[r] + 8 + 16 * j, reference::kIQ4Values);
  }
};

struct DecodeNVFP4 {
  static constexpr int kBlocks = 2, kHalves = 2, kUnroll = 1, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockNVFP4);
  using State = BlockState<4, kMin>;

  /// Half of an unsigned E4M3 in the lower eight bits of a lane, of which the uppermost means nothing: the others are
  /// those of a half-precision number that is 2^8 times smaller. 0x7f, which is not a number, counts as zero.
  static HEARTH_INLINE float32x4_t half_of_e4m3(uint32x4_t x) {
    const uint16x4_t half = vshl_n_u16(vand_u16(vmovn_u32(x), vdup_n_u16(127)), 7);
    const float32x4_t value = vmulq_f32(vcvt_f32_f16(vreinterpret_f16_u16(half)), vdupq_n_f32(128.0f));
    return vbslq_f32(vceqq_u32(x, vdupq_n_u32(0x7f)), vdupq_n_f32(0.0f), value);
  }
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    const uint32x4_t d = dwords_of(rows, 0);
    each<0, 4>([&]<int j>() HEARTH_INLINE_LAMBDA {
      uint32x4_t x = d;
      if constexpr (j > 0) x = vshrq_n_u32(x, 8 * j);
      state.scale[j] = half_of_e4m3(vandq_u32(x, vdupq_n_u32(255)));
    });
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
  }
  /// 16 columns in 8 bytes, the low nibbles first.
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const int8x16_t values = vld1q_s8(reference::kFP4Doubled);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x8_t raw = vld1_u8(state.row[r] + 4 + 16 * j + 8 * half);
      w[half] = vqtbl1q_s8(values, vcombine_u8(vand_u8(raw, vdup_n_u8(15)), vshr_n_u8(raw, 4)));
    }
  }
};

}  // namespace
}  // namespace hearth::kernels
