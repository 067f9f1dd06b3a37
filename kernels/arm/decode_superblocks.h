// Decoders of the types with superblocks of 256: Q2_K to Q6_K (bit layouts: reference/superblocks.cpp).
#pragma once

#include "kernels/arm/decode.h"
#include "kernels/arm/decoder_list.h"
#include "kernels/blocks.h"

namespace hearth::kernels {
namespace {

template <typename Block, int kScales, bool kHasMin, int kUnrolled>
struct Superblocks {
  static constexpr int kBlocks = 8, kHalves = kScales / 8, kUnroll = kUnrolled, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = kHasMin;
  static constexpr int64_t kBytes = sizeof(Block);
  using State = BlockState<kScales, kMin>;

  static HEARTH_INLINE void set_rows(State& state, FourRows rows) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
  }
};

HEARTH_INLINE uint32x4_t and_bytes(uint32x4_t v, int mask) {
  return vandq_u32(v, vreinterpretq_u32_u8(vdupq_n_u8(static_cast<uint8_t>(mask))));
}
template <int kShift, int kTo, int kBits>
HEARTH_INLINE uint32x4_t bits_of_bytes(uint32x4_t v) {
  return vreinterpretq_u32_u8(bits_at<kShift, kTo, kBits>(vreinterpretq_u8_u32(v)));
}

/// factor[i] = d * (byte i of the dwords), i < 4.
HEARTH_INLINE void four_factors(float32x4_t* factor, float32x4_t d, uint32x4_t bytes) {
  factor[0] = vmulq_f32(d, byte_as_float<0>(bytes));
  factor[1] = vmulq_f32(d, byte_as_float<1>(bytes));
  factor[2] = vmulq_f32(d, byte_as_float<2>(bytes));
  factor[3] = vmulq_f32(d, byte_as_float<3>(bytes));
}
HEARTH_INLINE void four_signed_factors(float32x4_t* factor, float32x4_t d, uint32x4_t bytes) {
  factor[0] = vmulq_f32(d, signed_byte_as_float<0>(bytes));
  factor[1] = vmulq_f32(d, signed_byte_as_float<1>(bytes));
  factor[2] = vmulq_f32(d, signed_byte_as_float<2>(bytes));
  factor[3] = vmulq_f32(d, signed_byte_as_float<3>(bytes));
}

/// Scales and minimums of eight blocks from the 16-byte header of Q4_K and Q5_K.
template <typename State>
HEARTH_INLINE void take_header(State& state, FourRows rows) {
  uint32x4_t h[4];
  transpose_16_bytes(h, rows, 0);
  const float32x4_t d = low_halves(h[0]), dmin = high_halves(h[0]);
  four_factors(state.scale, d, and_bytes(h[1], 63));
  four_factors(state.scale + 4, d, vorrq_u32(bits_of_bytes<6, 4, 2>(h[1]), and_bytes(h[3], 15)));
  four_factors(state.min, dmin, and_bytes(h[2], 63));
  four_factors(state.min + 4, dmin, vorrq_u32(bits_of_bytes<6, 4, 2>(h[2]), bits_of_bytes<4, 0, 4>(h[3])));
}

struct DecodeQ4_K : Superblocks<BlockQ4_K, 8, true, 2> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set_rows(state, rows);
    take_header(state, rows);
  }
  template <int j>
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, BlockIndex<j> at) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(state.row[r] + 16 + 16 * at.base + 16 * half);
      w[half] = as_signed(bits_at<4 * (j % 2), 0, 4>(raw));
    }
  }
};

struct DecodeQ5_K : Superblocks<BlockQ5_K, 8, true, shift_unroll(2)> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set_rows(state, rows);
    take_header(state, rows);
  }
  template <int j>
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, BlockIndex<j> at) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(state.row[r] + 48 + 16 * (at - j % 2) + 16 * half);
      const uint8x16_t high = down(load_16(state.row[r] + 16 + 16 * half), at - 4);
      w[half] = as_signed(vorrq_u8(bits_at<4 * (j % 2), 0, 4>(raw), vandq_u8(high, vdupq_n_u8(16))));
    }
  }
};

struct DecodeQ6_K : Superblocks<BlockQ6_K, 16, false, shift_unroll(1)> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set_rows(state, rows);
    uint32x4_t scales[4];
    transpose_16_bytes(scales, rows, 192);
    const float32x4_t d = halves_of(rows, 208);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) four_signed_factors(state.scale + 4 * i, d, scales[i]);
  }
  /// Low four bits in nibbles of 64 bytes for 128 columns, the upper two in 32 bytes.
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(state.row[r] + 64 * (j / 4) + 32 * (j % 2) + 16 * half);
      const uint8x16_t high = load_16(state.row[r] + 128 + 32 * (j / 4) + 16 * half);
      const uint8x16_t code =
          vorrq_u8(low_nibbles(down(raw, 4 * (j % 4 / 2))), vandq_u8(down(high, 2 * (j % 4) - 4), vdupq_n_u8(48)));
      w[half] = vsubq_s8(as_signed(code), vdupq_n_s8(32));
    }
  }
};

struct DecodeQ3_K : Superblocks<BlockQ3_K, 16, false, shift_unroll(1)> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set_rows(state, rows);
    uint32x4_t tail[4];  // the last two bytes of qs, then 12 of scales, then d
    transpose_16_bytes(tail, rows, 94);
    const float32x4_t d = high_halves(tail[3]);
    const uint32x4_t p0 = vsliq_n_u32(vshrq_n_u32(tail[0], 16), tail[1], 16);
    const uint32x4_t p1 = vsliq_n_u32(vshrq_n_u32(tail[1], 16), tail[2], 16);
    const uint32x4_t p2 = vsliq_n_u32(vshrq_n_u32(tail[2], 16), tail[3], 16);
    const uint32x4_t scales[4] = {vorrq_u32(and_bytes(p0, 15), bits_of_bytes<0, 4, 2>(p2)),
                                  vorrq_u32(and_bytes(p1, 15), bits_of_bytes<2, 4, 2>(p2)),
                                  vorrq_u32(bits_of_bytes<4, 0, 4>(p0), bits_of_bytes<4, 4, 2>(p2)),
                                  vorrq_u32(bits_of_bytes<4, 0, 4>(p1), bits_of_bytes<6, 4, 2>(p2))};
    const uint8x16_t bias = vdupq_n_u8(32);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const uint32x4_t less = vreinterpretq_u32_u8(vsubq_u8(vreinterpretq_u8_u32(scales[i]), bias));
      four_signed_factors(state.scale + 4 * i, d, less);
    }
  }
  /// Two bits of qs, and bit j of hmask, worth 4; less 4.
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(state.row[r] + 32 + 32 * (j / 4) + 16 * half);
      const uint8x16_t mask = load_16(state.row[r] + 16 * half);
      const uint8x16_t code =
          vorrq_u8(vandq_u8(down(raw, 2 * (j % 4)), vdupq_n_u8(3)), vandq_u8(down(mask, j - 2), vdupq_n_u8(4)));
      w[half] = vsubq_s8(as_signed(code), vdupq_n_s8(4));
    }
  }
};

struct DecodeQ2_K : Superblocks<BlockQ2_K, 16, true, shift_unroll(1)> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set_rows(state, rows);
    uint32x4_t bytes[4];
    transpose_16_bytes(bytes, rows, 0);
    const uint32x4_t both = dwords_of(rows, 80);
    const float32x4_t d = low_halves(both), dmin = high_halves(both);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      four_factors(state.scale + 4 * i, d, and_bytes(bytes[i], 15));
      four_factors(state.min + 4 * i, dmin, bits_of_bytes<4, 0, 4>(bytes[i]));
    }
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(state.row[r] + 16 + 32 * (j / 4) + 16 * half);
      w[half] = as_signed(vandq_u8(down(raw, 2 * (j % 4)), vdupq_n_u8(3)));
    }
  }
};

}  // namespace
}  // namespace hearth::kernels
