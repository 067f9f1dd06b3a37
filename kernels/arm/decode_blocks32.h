// Decoders of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 (bit layouts: reference/blocks32.cpp).
#pragma once

#include "kernels/arm/decode.h"
#include "kernels/arm/decoder_list.h"
#include "kernels/blocks.h"

namespace hearth::kernels {
namespace {

/// A block with a scale, and a minimum, before its codes: half-precision numbers.
template <typename Block, bool kHasMin>
struct Blocks32 {
  static constexpr int kBlocks = 1, kHalves = 1, kUnroll = 1, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = kHasMin;
  static constexpr int64_t kBytes = sizeof(Block);
  using State = BlockState<1, kMin>;

  static HEARTH_INLINE void begin(State& state, FourRows rows) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
    state.scale[0] = halves_of(rows, 0);
    if constexpr (kMin) state.min[0] = vnegq_f32(halves_of(rows, 2));
  }
};

/// 32 nibbles less kOffset from 16 bytes; low nibbles are columns 0..15.
template <int kOffset>
HEARTH_INLINE void nibbles_of(int8x16_t (&w)[2], const uint8_t* p) {
  const uint8x16_t raw = load_16(p);
  w[0] = as_signed(low_nibbles(raw));
  w[1] = as_signed(high_nibbles(raw));
  if constexpr (kOffset != 0) {
    w[0] = vsubq_s8(w[0], vdupq_n_s8(kOffset));
    w[1] = vsubq_s8(w[1], vdupq_n_s8(kOffset));
  }
}

/// The same with a fifth bit: bit i of the dword `high` belongs to column i.
template <int kOffset>
HEARTH_INLINE void five_bits_of(int8x16_t (&w)[2], const uint8_t* p, const uint8_t* high) {
  uint32_t bits;
  __builtin_memcpy(&bits, high, 4);
  nibbles_of<kOffset>(w, p);
  const uint8x16_t sixteen = vdupq_n_u8(16);
  w[0] = vaddq_s8(w[0], as_signed(vandq_u8(bytes_of_bits(bits), sixteen)));
  w[1] = vaddq_s8(w[1], as_signed(vandq_u8(bytes_of_bits(bits >> 16), sixteen)));
}

struct DecodeQ4_0 : Blocks32<BlockQ4_0, false> {
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    nibbles_of<8>(w, state.row[r] + 2);
  }
};

struct DecodeQ4_1 : Blocks32<BlockQ4_1, true> {
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    nibbles_of<0>(w, state.row[r] + 4);
  }
};

struct DecodeQ5_0 : Blocks32<BlockQ5_0, false> {
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    five_bits_of<16>(w, state.row[r] + 6, state.row[r] + 2);
  }
};

struct DecodeQ5_1 : Blocks32<BlockQ5_1, true> {
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    five_bits_of<0>(w, state.row[r] + 8, state.row[r] + 4);
  }
};

struct DecodeQ8_0 : Blocks32<BlockQ8_0, false> {
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int /*j*/) {
    w[0] = as_signed(load_16(state.row[r] + 2));
    w[1] = as_signed(load_16(state.row[r] + 18));
  }
};

}  // namespace
}  // namespace hearth::kernels
