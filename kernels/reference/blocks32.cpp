// Tensor types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Nibble j of the low halves is element j, of the
// high halves element j + 16. Q*_0: d * (code - offset); Q*_1: d * code + m.
#include "kernels/blocks.h"

#include "kernels/half.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// One scale and one minimum for both halves of a block of 32.
void set_block(const Unpacked& out, int64_t block, float scale, float min) {
  for (int64_t half = 2 * block; half < 2 * block + 2; ++half) {
    out.scale[half] = scale;
    out.min[half] = min;
  }
}

/// 32 nibbles minus an offset.
void nibbles(int8_t* code, const uint8_t* qs, int offset) {
  for (int j = 0; j < 16; ++j) {
    code[j] = static_cast<int8_t>((qs[j] & 15) - offset);
    code[j + 16] = static_cast<int8_t>((qs[j] >> 4) - offset);
  }
}

/// 32 nibbles with their fifth bits, minus an offset. Bit i of qh belongs to element i.
void five_bits(int8_t* code, const uint8_t* qs, const uint8_t* qh, int offset) {
  for (int j = 0; j < 32; ++j) {
    const int low = (j < 16) ? (qs[j] & 15) : (qs[j - 16] >> 4);
    const int high = (qh[j / 8] >> (j % 8)) & 1;
    code[j] = static_cast<int8_t>((low | (high << 4)) - offset);
  }
}

}  // namespace

void unpack_Q4_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d), 0.0f);
    nibbles(out.code + 32 * b, block->qs, 8);
  }
}

void unpack_Q4_1(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d), -half_to_float(block->m));
    nibbles(out.code + 32 * b, block->qs, 0);
  }
}

void unpack_Q5_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d), 0.0f);
    five_bits(out.code + 32 * b, block->qs, block->qh, 16);
  }
}

void unpack_Q5_1(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ5_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d), -half_to_float(block->m));
    five_bits(out.code + 32 * b, block->qs, block->qh, 0);
  }
}

void unpack_Q8_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    set_block(out, b, half_to_float(block->d), 0.0f);
    for (int j = 0; j < 32; ++j) out.code[32 * b + j] = block->qs[j];
  }
}

void quantize_Q8_0(void* blocks, const float* x, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block, x += 32) {
    float largest = 0.0f;
    for (int j = 0; j < 32; ++j) {
      const float magnitude = __builtin_fabsf(x[j]);
      if (magnitude > largest) largest = magnitude;
    }
    const float d = largest / 127.0f;
    const float inverse = (d != 0.0f) ? 1.0f / d : 0.0f;
    block->d = float_to_half(d);
    for (int j = 0; j < 32; ++j) block->qs[j] = static_cast<int8_t>(__builtin_roundf(x[j] * inverse));
  }
}

}  // namespace hearth::kernels::reference
