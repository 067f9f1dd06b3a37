// The block types whose unpacking deserves loops of its own: bytes in, bytes out, a whole run of them in one operation.
// reference/ explains the layouts.
#include "kernels/portable/unpack.h"

#include "kernels/blocks.h"
#include "kernels/half.h"

namespace hearth::kernels::portable {
namespace {

/// code[i] = low nibble of byte[i], i < 32; code[32 + i] = the high one.
inline void nibbles_32(int8_t* __restrict code, const uint8_t* __restrict bytes) {
  for (int i = 0; i < 32; ++i) {
    code[i] = static_cast<int8_t>(bytes[i] & 15);
    code[32 + i] = static_cast<int8_t>(bytes[i] >> 4);
  }
}

/// Scale and minimum j of the eight that lie, 6 bits each, in the 12 bytes of Q4_K and Q5_K.
inline void scale_and_min(const uint8_t* packed, int j, int* scale, int* min) {
  *scale = (j < 4) ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4);
  *min = (j < 4) ? packed[j + 4] & 63 : (packed[j + 4] >> 4) | (packed[j] >> 6 << 4);
}

/// The 16 scales and minimums of a superblock of Q4_K or Q5_K, two equal ones for each sub-block.
template <typename Block>
inline void factors_of(float* scale, float* min, const Block& block) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int j = 0; j < 8; ++j) {
    int s, m;
    scale_and_min(block.scales, j, &s, &m);
    scale[2 * j] = scale[2 * j + 1] = d * static_cast<float>(s);
    min[2 * j] = min[2 * j + 1] = dmin * static_cast<float>(m);
  }
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
    for (int j = 0; j < 16; ++j) {
      out.scale[16 * b + j] = d * static_cast<float>(block->scales[j]);
      out.min[16 * b + j] = 0.0f;
    }
    for (int half = 0; half < 2; ++half) {
      int8_t* __restrict code = out.code + 256 * b + 128 * half;
      const uint8_t* __restrict low = block->ql + 64 * half;
      const uint8_t* __restrict high = block->qh + 32 * half;
      for (int i = 0; i < 32; ++i) {
        code[i] = static_cast<int8_t>(((low[i] & 15) | (high[i] & 3) << 4) - 32);
        code[32 + i] = static_cast<int8_t>(((low[32 + i] & 15) | (high[i] & 12) << 2) - 32);
        code[64 + i] = static_cast<int8_t>(((low[i] >> 4) | (high[i] & 48)) - 32);
        code[96 + i] = static_cast<int8_t>(((low[32 + i] >> 4) | (high[i] & 192) >> 2) - 32);
      }
    }
  }
}

}  // namespace hearth::kernels::portable
