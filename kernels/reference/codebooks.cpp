// Tensor types whose 4-bit codes index a table: IQ4_NL, IQ4_XS and MXFP4.
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

}  // namespace hearth::kernels::reference
