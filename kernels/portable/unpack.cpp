// The block types whose unpacking deserves loops of its own: bytes in, bytes out, a whole run of them in one operation.
// reference/ explains the layouts.
#include "kernels/portable/unpack.h"

#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/portable/vectors.h"

namespace hearth::kernels::portable {
namespace {

/// code[i] = low nibble of byte[i], i < 32; code[32 + i] = the high one.
inline void nibbles_32(int8_t* __restrict code, const uint8_t* __restrict bytes) {
  for (int i = 0; i < 32; ++i) {
    code[i] = static_cast<int8_t>(bytes[i] & 15);
    code[32 + i] = static_cast<int8_t>(bytes[i] >> 4);
  }
}

/// out[2 j] = out[2 j + 1] = d * six[j], j < 8.
inline void store_twice(float* out, const uint8_t (&six)[8], float d) {
  float once[8];
  for (int j = 0; j < 8; ++j) once[j] = d * static_cast<float>(six[j]);
  for (int j = 0; j < 8; j += 4) {
    const I32x4 four = load<I32x4>(once + j);
    store(out + 2 * j, shuffle<0, 0, 1, 1>(four, four));
    store(out + 2 * j + 4, shuffle<2, 2, 3, 3>(four, four));
  }
}

/// The 16 scales and minimums of a superblock of Q4_K or Q5_K, two equal ones for each sub-block. The eight of each
/// lie, 6 bits each, in 12 bytes: in the low bits of the first eight, and in nibbles of the last four below what the
/// first eight leave.
template <typename Block>
inline void factors_of(float* scale, float* min, const Block& block) {
  uint32_t a, b, c;
  __builtin_memcpy(&a, block.scales, 4);
  __builtin_memcpy(&b, block.scales + 4, 4);
  __builtin_memcpy(&c, block.scales + 8, 4);
  const uint32_t six[4] = {a & 0x3f3f3f3f, (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030), b & 0x3f3f3f3f,
                           (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030)};
  uint8_t scales[8], mins[8];
  __builtin_memcpy(scales, six, 8);
  __builtin_memcpy(mins, six + 2, 8);
  store_twice(scale, scales, half_to_float(block.d));
  store_twice(min, mins, half_to_float(block.dmin));
}

/// Bytes whose bits that leave on one side are zero, shifted as words: no target shifts bytes.
template <int n>
inline U8x16 shift_left(U8x16 v) {
  return reinterpret_cast<U8x16>(reinterpret_cast<U16x8>(v) << n);
}
template <int n>
inline U8x16 shift_right(U8x16 v) {
  return reinterpret_cast<U8x16>(reinterpret_cast<U16x8>(v) >> n);
}

/// Byte i: 16 where bit i of the two bytes is set, 0 elsewhere.
inline U8x16 fifth_bits(const uint8_t* two) {
  constexpr U8x16 kBit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint64_t low = two[0] * 0x0101010101010101u, high = two[1] * 0x0101010101010101u;
  const U8x16 bytes = reinterpret_cast<U8x16>(U64x2{low, high});
  return reinterpret_cast<U8x16>((bytes & kBit) == kBit) & 16;
}

}  // namespace

void unpack_Q4_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int8_t* __restrict code = out.code + 32 * b;
    const uint8_t* __restrict bytes = block->qs;
    for (int i = 0; i < 16; ++i) {
      code[i] = static_cast<int8_t>((bytes[i] & 15) - 8);
      code[16 + i] = static_cast<int8_t>((bytes[i] >> 4) - 8);
    }
    out.scale[2 * b] = out.scale[2 * b + 1] = half_to_float(block->d);
    out.min[2 * b] = out.min[2 * b + 1] = 0.0f;
  }
}

void unpack_Q5_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int8_t* code = out.code + 32 * b;
    const U8x16 bytes = load<U8x16>(block->qs);
    store(code, ((bytes & 15) | fifth_bits(block->qh)) - 16);
    store(code + 16, (shift_right<4>(bytes & 240) | fifth_bits(block->qh + 2)) - 16);
    out.scale[2 * b] = out.scale[2 * b + 1] = half_to_float(block->d);
    out.min[2 * b] = out.min[2 * b + 1] = 0.0f;
  }
}

void unpack_Q8_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    __builtin_memcpy(out.code + 32 * b, block->qs, 32);
    out.scale[2 * b] = out.scale[2 * b + 1] = half_to_float(block->d);
    out.min[2 * b] = out.min[2 * b + 1] = 0.0f;
  }
}

void unpack_Q4_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    factors_of(out.scale + 16 * b, out.min + 16 * b, *block);
    for (int pair = 0; pair < 4; ++pair) nibbles_32(out.code + 256 * b + 64 * pair, block->qs + 32 * pair);
  }
}

void unpack_Q5_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    factors_of(out.scale + 16 * b, out.min + 16 * b, *block);
    for (int pair = 0; pair < 4; ++pair) {
      int8_t* __restrict code = out.code + 256 * b + 64 * pair;
      const uint8_t* __restrict high = block->qh;
      nibbles_32(code, block->qs + 32 * pair);
      for (int i = 0; i < 32; ++i) {
        const uint8_t bits = static_cast<uint8_t>(high[i] >> (2 * pair));
        code[i] = static_cast<int8_t>(code[i] | (bits & 1) << 4);
        code[32 + i] = static_cast<int8_t>(code[32 + i] | (bits & 2) << 3);
      }
    }
  }
}

void unpack_Q6_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    int8_t scales[16];  // copies, which the compiler knows to lie apart from what is written
    __builtin_memcpy(scales, block->scales, sizeof scales);
    float* __restrict scale = out.scale + 16 * b;
    for (int j = 0; j < 16; ++j) scale[j] = d * static_cast<float>(scales[j]);
    __builtin_memset(out.min + 16 * b, 0, 16 * sizeof(float));
    for (int half = 0; half < 2; ++half) {
      const uint8_t* low = block->ql + 64 * half;
      for (int i = 0; i < 32; i += 16) {
        int8_t* code = out.code + 256 * b + 128 * half + i;
        const U8x16 first = load<U8x16>(low + i), second = load<U8x16>(low + 32 + i);
        const U8x16 high = load<U8x16>(block->qh + 32 * half + i);
        store(code, ((first & 15) | shift_left<4>(high & 3)) - 32);
        store(code + 32, ((second & 15) | shift_left<2>(high & 12)) - 32);
        store(code + 64, (shift_right<4>(first & 240) | (high & 48)) - 32);
        store(code + 96, (shift_right<4>(second & 240) | shift_right<2>(high & 192)) - 32);
      }
    }
  }
}

}  // namespace hearth::kernels::portable
