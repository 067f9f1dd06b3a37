// Tensor types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4 and NVFP4.
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// 32 nibbles through a table: the low halves are elements 0..15.
void look_up(int8_t* code, const uint8_t* qs, const int8_t* table) {
  for (int j = 0; j < 16; ++j) {
    code[j] = table[qs[j] & 15];
    code[j + 16] = table[qs[j] >> 4];
  }
}

void set_block(const Unpacked& out, int64_t block, float scale) {
  for (int64_t half = 2 * block; half < 2 * block + 2; ++half) {
    out.scale[half] = scale;
    out.min[half] = 0.0f;
  }
}

/// Half of 2^(e - 127): E8M0 of the OCP Microscaling Formats specification 1.0, halved because the table is doubled.
float half_of_e8m0(uint8_t e) {
  return __builtin_bit_cast(float, (e < 2) ? (0x00200000u << e) : (uint32_t{e} - 1) << 23);
}

/// Half of an unsigned E4M3 (exponent bias 7, no infinity), halved because the table is doubled. 0x7f is not a number
/// and counts as zero.
float half_of_e4m3(uint8_t x) {
  const int exponent = (x >> 3) & 15, mantissa = x & 7;
  if (x == 0x7f) return 0.0f;
  if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
  return __builtin_bit_cast(float, static_cast<uint32_t>((exponent - 8 + 127) << 23 | mantissa << 20));
}

}  // namespace

const int8_t kIQ4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t kFP4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

void unpack_IQ4_NL(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_NL*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d));
    look_up(out.code + 32 * b, block->qs, kIQ4Values);
  }
}

// 8 sub-blocks of 32; scale: 6 bits minus 32, the low nibbles in scales_l, the upper two bits in scales_h.
void unpack_IQ4_XS(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ4_XS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const float d = half_to_float(block->d);
    for (int j = 0; j < 8; ++j) {
      const int low = (block->scales_l[j / 2] >> (4 * (j % 2))) & 15;
      const int high = (block->scales_h >> (2 * j)) & 3;
      set_block(out, 8 * b + j, d * static_cast<float>((low | (high << 4)) - 32));
      look_up(out.code + 256 * b + 32 * j, block->qs + 16 * j, kIQ4Values);
    }
  }
}

void unpack_MXFP4(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockMXFP4*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_of_e8m0(block->e));
    look_up(out.code + 32 * b, block->qs, kFP4Doubled);
  }
}

// 4 sub-blocks of 16, 8 bytes each, the low nibbles first.
void unpack_NVFP4(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockNVFP4*>(blocks);
  for (int64_t i = 0; i < n; ++i) {
    const int byte = block[i / 64].qs[i % 64 / 16 * 8 + i % 8];
    out.code[i] = kFP4Doubled[i % 16 < 8 ? byte & 15 : byte >> 4];
  }
  for (int64_t s = 0; s < n / 16; ++s) {
    out.scale[s] = half_of_e4m3(block[s / 4].d[s % 4]);
    out.min[s] = 0.0f;
  }
}

}  // namespace hearth::kernels::reference
