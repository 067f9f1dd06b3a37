// Decoders of the types whose codes come from codebooks of vectors, or lie as bits too scattered for all rows to be
// taken in step: IQ1 to IQ3, ternary and binary types. Scales are found row by row, codes by vectors. What the bits
// mean: reference/lattices.cpp, reference/ternary.cpp.
#pragma once

#include <cstddef>

#include "kernels/arm/decode.h"
#include "kernels/arm/decoder_list.h"
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/codebook_vectors.h"

namespace hearth::kernels {
namespace {

template <typename Block, int kCount, int kScalesOf32, int kUnrolled = 1>
struct RowDecoder {
  static constexpr int kBlocks = kCount, kHalves = kScalesOf32, kUnroll = kUnrolled, kDotCols = kernels::kDotCols;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(Block);
  using State = BlockState<kBlocks * kHalves, kMin>;

  static HEARTH_INLINE const Block& block(const State& state, int r) {
    return *static_cast<const Block*>(static_cast<const void*>(state.row[r]));
  }
  /// scale_of(block, i): scale i of a row's block.
  template <typename ScaleOf>
  static HEARTH_INLINE void set(State& state, FourRows rows, const ScaleOf& scale_of) {
    alignas(16) float scale[kBlocks * kHalves][4];
#pragma GCC unroll 1
    for (int r = 0; r < 4; ++r) {
      state.row[r] = rows[r];
      const auto& one = *static_cast<const Block*>(static_cast<const void*>(rows[r]));
#pragma GCC unroll 1
      for (int i = 0; i < kBlocks * kHalves; ++i) scale[i][r] = scale_of(one, i);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kBlocks * kHalves; ++i) state.scale[i] = vld1q_f32(scale[i]);
  }
  /// The block's own scale everywhere.
  static HEARTH_INLINE void set_one(State& state, FourRows rows) {
    const float32x4_t d = halves_of(rows, offsetof(Block, d));
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) state.row[r] = rows[r];
#pragma GCC unroll 8
    for (int i = 0; i < kBlocks * kHalves; ++i) state.scale[i] = d;
  }
};

/// Types of codebooks: decoding takes longer than multiplying.
template <typename Block, int kScalesOf32>
struct VectorDecoder : RowDecoder<Block, 8, kScalesOf32> {
  static constexpr int kDotCols = 1;
};

template <typename T>
HEARTH_INLINE T load_as(const void* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}
template <typename Block>
HEARTH_INLINE const uint8_t* bytes_at(const Block& b, size_t offset) {
  return static_cast<const uint8_t*>(static_cast<const void*>(&b)) + offset;
}

/// Magnitudes with signs: bit i of the 16 belongs to byte i.
HEARTH_INLINE int8x16_t with_signs(uint64x2_t magnitudes, uint32_t signs) {
  const uint8x16_t negative = bytes_of_bits(signs);
  return as_signed(vsubq_u8(veorq_u8(vreinterpretq_u8_u64(magnitudes), negative), negative));
}
/// Seven bits with the eighth that makes the number of set ones even.
HEARTH_INLINE uint32_t with_even_parity(uint32_t seven) {
  uint32_t parity = seven ^ (seven >> 4);
  parity ^= parity >> 2;
  return seven | ((parity ^ (parity >> 1)) & 1u) << 7;
}

/// Two vectors of eight, and four vectors of four, vector i at index(i).
template <int kCount, typename Index>
HEARTH_INLINE uint64x2_t two_of(const reference::Codebook<uint64_t, kCount>& codebook, const Index& index) {
  return vcombine_u64(vcreate_u64(codebook.entry[index(0)]), vcreate_u64(codebook.entry[index(1)]));
}
template <int kCount, typename Index>
HEARTH_INLINE uint64x2_t four_of(const reference::Codebook<uint32_t, kCount>& codebook, const Index& index) {
  const auto pair = [&](int i) {
    return vcreate_u64(codebook.entry[index(i)] | uint64_t{codebook.entry[index(i + 1)]} << 32);
  };
  return vcombine_u64(pair(0), pair(2));
}

struct DecodeIQ2_XXS : VectorDecoder<BlockIQ2_XXS, 1> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ2_XXS& b, int i) HEARTH_INLINE_LAMBDA {
      const uint32_t bits = load_as<uint32_t>(b.qs + 8 * i + 4) >> 28;
      return half_to_float(b.d) * (0.5f + static_cast<float>(bits)) * 0.25f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const uint8_t* q = block(state, r).qs + 8 * j;
    const auto seven = load_as<uint32_t>(q + 4);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto index = [q, half](int i) HEARTH_INLINE_LAMBDA { return q[2 * half + i]; };
      const uint32_t low = with_even_parity((seven >> (14 * half)) & 127);
      const uint32_t high = with_even_parity((seven >> (14 * half + 7)) & 127);
      w[half] = with_signs(two_of(reference::codebooks.iq2_xxs, index), low | high << 8);
    }
  }
};

struct DecodeIQ2_XS : VectorDecoder<BlockIQ2_XS, 2> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ2_XS& b, int i) HEARTH_INLINE_LAMBDA {
      const int nibble = b.scales[i / 2] >> (4 * (i % 2)) & 15;
      return half_to_float(b.d) * (0.5f + static_cast<float>(nibble)) * 0.25f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const auto words = load_as<uint64_t>(bytes_at(block(state, r), offsetof(BlockIQ2_XS, qs)) + 8 * j);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto word = [words, half](int i) HEARTH_INLINE_LAMBDA {
        return static_cast<uint32_t>(words >> (32 * half + 16 * i)) & 0xffff;
      };
      const auto index = [&word](int i) HEARTH_INLINE_LAMBDA { return word(i) & 511; };
      const uint32_t signs = with_even_parity(word(0) >> 9) | with_even_parity(word(1) >> 9) << 8;
      w[half] = with_signs(two_of(reference::codebooks.iq2_xs, index), signs);
    }
  }
};

struct DecodeIQ2_S : VectorDecoder<BlockIQ2_S, 2> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ2_S& b, int i) HEARTH_INLINE_LAMBDA {
      const int nibble = b.scales[i / 2] >> (4 * (i % 2)) & 15;
      return half_to_float(b.d) * (0.5f + static_cast<float>(nibble)) * 0.25f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const BlockIQ2_S& b = block(state, r);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto index = [&b, half, j](int i) HEARTH_INLINE_LAMBDA {
        return b.qs[4 * j + 2 * half + i] | (b.qh[j] >> (4 * half + 2 * i) & 3) << 8;
      };
      w[half] = with_signs(two_of(reference::codebooks.iq2_s, index), load_as<uint16_t>(b.signs + 4 * j + 2 * half));
    }
  }
};

struct DecodeIQ3_XXS : VectorDecoder<BlockIQ3_XXS, 1> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ3_XXS& b, int i) HEARTH_INLINE_LAMBDA {
      const uint32_t bits = load_as<uint32_t>(b.signs_and_scales + 4 * i) >> 28;
      return half_to_float(b.d) * (0.5f + static_cast<float>(bits)) * 0.5f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const BlockIQ3_XXS& b = block(state, r);
    const auto seven = load_as<uint32_t>(b.signs_and_scales + 4 * j);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto index = [&b, half, j](int i) HEARTH_INLINE_LAMBDA { return b.qs[8 * j + 4 * half + i]; };
      const uint32_t low = with_even_parity((seven >> (14 * half)) & 127);
      const uint32_t high = with_even_parity((seven >> (14 * half + 7)) & 127);
      w[half] = with_signs(four_of(reference::codebooks.iq3_xxs, index), low | high << 8);
    }
  }
};

struct DecodeIQ3_S : VectorDecoder<BlockIQ3_S, 1> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ3_S& b, int i) HEARTH_INLINE_LAMBDA {
      const int nibble = b.scales[i / 2] >> (4 * (i % 2)) & 15;
      return half_to_float(b.d) * static_cast<float>(1 + 2 * nibble);
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const BlockIQ3_S& b = block(state, r);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto index = [&b, half, j](int i) HEARTH_INLINE_LAMBDA {
        return b.qs[8 * j + 4 * half + i] | (b.qh[j] >> (4 * half + i) & 1) << 8;
      };
      w[half] = with_signs(four_of(reference::codebooks.iq3_s, index), load_as<uint16_t>(b.signs + 4 * j + 2 * half));
    }
  }
};

struct DecodeIQ1_S : VectorDecoder<BlockIQ1_S, 1> {
  static HEARTH_INLINE uint32_t high_word(const BlockIQ1_S& b, int j) {
    return load_as<uint16_t>(bytes_at(b, offsetof(BlockIQ1_S, qh)) + 2 * j);
  }
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ1_S& b, int i) HEARTH_INLINE_LAMBDA {
      return half_to_float(b.d) * static_cast<float>(1 + 2 * (high_word(b, i) >> 12 & 7)) * 0.125f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const BlockIQ1_S& b = block(state, r);
    const uint32_t high = high_word(b, j);
    const int8x16_t delta = vdupq_n_s8((high & 0x8000) != 0 ? -1 : 1);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const auto index = [&b, high, half, j](int i) HEARTH_INLINE_LAMBDA {
        return b.qs[4 * j + 2 * half + i] | (high >> (3 * (2 * half + i)) & 7) << 8;
      };
      w[half] = vaddq_s8(vreinterpretq_s8_u64(two_of(reference::codebooks.iq1, index)), delta);
    }
  }
};

struct DecodeIQ1_M : VectorDecoder<BlockIQ1_M, 2> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) {
    set(state, rows, [](const BlockIQ1_M& b, int i) HEARTH_INLINE_LAMBDA {
      const auto words = load_as<uint64_t>(bytes_at(b, offsetof(BlockIQ1_M, scales)));
      const auto d = static_cast<half_t>((words >> 12 & 0xf) | (words >> 24 & 0xf0) | (words >> 36 & 0xf00) |
                                         (words >> 48 & 0xf000));
      const int bits = static_cast<int>(words >> (16 * (i / 4) + 3 * (i % 4)) & 7);
      return half_to_float(d) * static_cast<float>(1 + 2 * bits) * 0.125f;
    });
  }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const BlockIQ1_M& b = block(state, r);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint32_t high = b.qh[2 * j + half];  // a nibble for eight columns: three bits of an index, and a sign
      const auto index = [&b, high, half, j](int i)
                             HEARTH_INLINE_LAMBDA { return b.qs[4 * j + 2 * half + i] | (high >> (4 * i) & 7) << 8; };
      const int8x8_t low_delta = vdup_n_s8((high & 8) != 0 ? -1 : 1),
                     high_delta = vdup_n_s8((high & 128) != 0 ? -1 : 1);
      const int8x16_t delta = vcombine_s8(low_delta, high_delta);
      w[half] = vaddq_s8(vreinterpretq_s8_u64(two_of(reference::codebooks.iq1, index)), delta);
    }
  }
};

struct DecodeQ1_0 : RowDecoder<BlockQ1_0, 4, 1> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) { set_one(state, rows); }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const auto bits = load_as<uint32_t>(block(state, r).qs + 4 * j);
    const uint8x16_t one = vdupq_n_u8(1);
    w[0] = as_signed(vorrq_u8(vmvnq_u8(bytes_of_bits(bits)), one));  // -1 where the bit is clear
    w[1] = as_signed(vorrq_u8(vmvnq_u8(bytes_of_bits(bits >> 16)), one));
  }
};

struct DecodeQ2_0 : RowDecoder<BlockQ2_0, 2, 1> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) { set_one(state, rows); }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
    const uint8x16_t raw = vreinterpretq_u8_u64(vdupq_n_u64(load_as<uint64_t>(block(state, r).qs + 8 * j)));
    const int8x16_t down = vreinterpretq_s8_u32(vdupq_n_u32(0xfafcfe00u));  // by 0, 2, 4, 6 bits
    const uint8x16_t spread =
        vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(0x0101010100000000u), vcreate_u64(0x0303030302020202u)));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t bytes = vqtbl1q_u8(raw, vaddq_u8(spread, vdupq_n_u8(static_cast<uint8_t>(4 * half))));
      w[half] = vsubq_s8(as_signed(vandq_u8(vshlq_u8(bytes, down), vdupq_n_u8(3))), vdupq_n_s8(1));
    }
  }
};

struct DecodeTQ2_0 : RowDecoder<BlockTQ2_0, 8, 1, shift_unroll(1)> {
  static HEARTH_INLINE void begin(State& state, FourRows rows) { set_one(state, rows); }
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, int j) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const uint8x16_t raw = load_16(block(state, r).qs + 32 * (j / 4) + 16 * half);
      w[half] = vsubq_s8(as_signed(vandq_u8(down(raw, 2 * (j % 4)), vdupq_n_u8(3))), vdupq_n_s8(1));
    }
  }
};

struct DecodeTQ1_0 : RowDecoder<BlockTQ1_0, 8, 1, 8> {
  static constexpr int kDotCols = 1;
  static HEARTH_INLINE void begin(State& state, FourRows rows) { set_one(state, rows); }

  /// Digit `place` to the base 3 of bytes that are fractions of 243, as -1, 0, 1.
  template <int kFactor>
  static HEARTH_INLINE int8x16_t digit(uint8x16_t bytes) {
    uint8x16_t v = bytes;
    if constexpr (kFactor > 1) v = vmulq_u8(v, vdupq_n_u8(kFactor));
    const int8x16_t one = as_signed(vcgeq_u8(v, vdupq_n_u8(86))), two = as_signed(vcgeq_u8(v, vdupq_n_u8(171)));
    return vsubq_s8(vsubq_s8(vdupq_n_s8(-1), one), two);  // what holds is -1
  }
  static constexpr int power(int place) {
    int p = 1;
    for (int i = 0; i < place; ++i) p *= 3;
    return p;
  }
  template <int j>
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int r, BlockIndex<j>) {
    const BlockTQ1_0& b = block(state, r);
    if constexpr (j < 5) {
      w[0] = digit<power(j)>(load_16(b.qs));
      w[1] = digit<power(j)>(load_16(b.qs + 16));
    } else {
      constexpr int kPlace = 2 * (j - 5);
      const uint8x16_t raw = load_16(b.qs + 32);
      w[0] = digit<power(kPlace)>(raw);
      if constexpr (j < 7) {
        w[1] = digit<power(kPlace + 1)>(raw);
      } else {
        const uint8x16_t four = vreinterpretq_u8_u32(vdupq_n_u32(load_as<uint32_t>(b.qh)));
        const uint32_t powers[4] = {0x01010101u, 0x03030303u, 0x09090909u, 0x1b1b1b1bu};
        w[1] = digit<1>(vmulq_u8(four, vreinterpretq_u8_u32(vld1q_u32(powers))));
      }
    }
  }
};

}  // namespace
}  // namespace hearth::kernels
