// Tensor types with superblocks of 256 whose sub-block scales are themselves quantized: Q2_K to Q6_K.
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// Six-bit scale and minimum of sub-block j of Q4_K and Q5_K, packed in 12 bytes: bytes 0..3 and 4..7 hold scales
/// and minimums 0..3 with, in their two upper bits, the upper bits of 4..7; bytes 8..11 hold the low nibbles of 4..7.
void scale_and_min(const uint8_t* packed, int j, int* scale, int* min) {
  if (j < 4) {
    *scale = packed[j] & 63;
    *min = packed[j + 4] & 63;
  } else {
    *scale = (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4);
    *min = (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4);
  }
}

/// Six-bit scale j of 16 of Q3_K, packed in 12 bytes: low nibbles in bytes 0..7 (8..15 in their upper halves),
/// upper two bits of j in bytes 8..11, at bit 2 * (j / 4).
int q3_scale(const uint8_t* packed, int j) {
  const int low = (j < 8) ? (packed[j] & 15) : (packed[j - 8] >> 4);
  const int high = (packed[8 + j % 4] >> (2 * (j / 4))) & 3;
  return low | (high << 4);
}

}  // namespace

// 16 sub-blocks of 16: d * scale * code - dmin * min; code: 2 bits. Each half of 128 elements lies in 32 bytes,
// bits 2g..2g+1 of byte i being element 32 g + i.
void unpack_Q2_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ2_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    const float dmin = half_to_float(block->dmin);
    for (int j = 0; j < 16; ++j) {
      out.scale[16 * b + j] = d * static_cast<float>(block->scales[j] & 15);
      out.min[16 * b + j] = dmin * static_cast<float>(block->scales[j] >> 4);
    }
    for (int i = 0; i < 256; ++i) {
      const int byte = 32 * (i / 128) + i % 32;
      out.code[256 * b + i] = static_cast<int8_t>((block->qs[byte] >> (2 * (i % 128 / 32))) & 3);
    }
  }
}

// 16 sub-blocks of 16: d * (scale - 32) * code; code: 2 bits as in Q2_K, minus 4 when the bit of hmask is clear.
void unpack_Q3_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ3_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    for (int j = 0; j < 16; ++j) {
      out.scale[16 * b + j] = d * static_cast<float>(q3_scale(block->scales, j) - 32);
      out.min[16 * b + j] = 0.0f;
    }
    for (int i = 0; i < 256; ++i) {
      const int low = (block->qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
      const int high = (block->hmask[i % 32] >> (i / 32)) & 1;
      out.code[256 * b + i] = static_cast<int8_t>(low - (high != 0 ? 0 : 4));
    }
  }
}

// 8 sub-blocks of 32: d * scale * code - dmin * min; code: 4 bits. Each pair of sub-blocks lies in 32 bytes, the
// first in the low nibbles.
void unpack_Q4_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    const float dmin = half_to_float(block->dmin);
    for (int j = 0; j < 16; ++j) {
      int scale;
      int min;
      scale_and_min(block->scales, j / 2, &scale, &min);
      out.scale[16 * b + j] = d * static_cast<float>(scale);
      out.min[16 * b + j] = dmin * static_cast<float>(min);
    }
    for (int i = 0; i < 256; ++i) {
      const int byte = block->qs[32 * (i / 64) + i % 32];
      out.code[256 * b + i] = static_cast<int8_t>((i % 64 < 32) ? (byte & 15) : (byte >> 4));
    }
  }
}

// As Q4_K with a fifth bit: bit j of qh[i] belongs to element i of sub-block j.
void unpack_Q5_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    const float dmin = half_to_float(block->dmin);
    for (int j = 0; j < 16; ++j) {
      int scale;
      int min;
      scale_and_min(block->scales, j / 2, &scale, &min);
      out.scale[16 * b + j] = d * static_cast<float>(scale);
      out.min[16 * b + j] = dmin * static_cast<float>(min);
    }
    for (int i = 0; i < 256; ++i) {
      const int byte = block->qs[32 * (i / 64) + i % 32];
      const int low = (i % 64 < 32) ? (byte & 15) : (byte >> 4);
      const int high = (block->qh[i % 32] >> (i / 32)) & 1;
      out.code[256 * b + i] = static_cast<int8_t>(low | (high << 4));
    }
  }
}

// 16 sub-blocks of 16: d * scale * code; code: 6 bits minus 32. Of each half of 128 elements, the low nibbles lie
// in 64 bytes of ql (elements 0..63 in the low halves, 64..127 in the high ones) and the upper two bits in 32
// bytes of qh, bits 2g..2g+1 of byte i belonging to element 32 g + i.
void unpack_Q6_K(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ6_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    for (int j = 0; j < 16; ++j) {
      out.scale[16 * b + j] = d * static_cast<float>(block->scales[j]);
      out.min[16 * b + j] = 0.0f;
    }
    for (int i = 0; i < 256; ++i) {
      const int half = i / 128;
      const int j = i % 128;
      const int byte = block->ql[64 * half + j % 64];
      const int low = (j < 64) ? (byte & 15) : (byte >> 4);
      const int high = (block->qh[32 * half + j % 32] >> (2 * (j / 32))) & 3;
      out.code[256 * b + i] = static_cast<int8_t>((low | (high << 4)) - 32);
    }
  }
}

}  // namespace hearth::kernels::reference
