// Tensor types of very few values and one scale a block: Q1_0 (-1, 1), Q2_0 (-1 to 2), TQ1_0 and TQ2_0 (-1, 0, 1).
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// The scale of n elements.
void set_scale(const Unpacked& out, int64_t first, int64_t n, float scale) {
  for (int64_t i = first / 16; i < (first + n) / 16; ++i) {
    out.scale[i] = scale;
    out.min[i] = 0.0f;
  }
}

/// Digit `place` (0 is the highest) of five to the base 3, as -1, 0 or 1. The byte is that number as a fraction of 243,
/// scaled to 256 and rounded up, so that multiplying by 3 moves the next digit beyond the byte.
int8_t digit(uint8_t byte, int place) {
  for (int i = 0; i < place; ++i) byte = static_cast<uint8_t>(3 * byte);
  return static_cast<int8_t>((3 * byte >> 8) - 1);
}

}  // namespace

// One bit per element: set is 1, clear is -1.
void unpack_Q1_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ1_0*>(blocks);
  for (int64_t i = 0; i < n; ++i) {
    out.code[i] = ((block[i / 128].qs[i % 128 / 8] >> (i % 8)) & 1) != 0 ? 1 : -1;
  }
  for (int64_t b = 0; b < n / 128; ++b) set_scale(out, 128 * b, 128, half_to_float(block[b].d));
}

// Two bits per element, minus 1.
void unpack_Q2_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockQ2_0*>(blocks);
  for (int64_t i = 0; i < n; ++i) {
    out.code[i] = static_cast<int8_t>(((block[i / 64].qs[i % 64 / 4] >> (2 * (i % 4))) & 3) - 1);
  }
  for (int64_t b = 0; b < n / 64; ++b) set_scale(out, 64 * b, 64, half_to_float(block[b].d));
}

// Five digits to the base 3 a byte: of 32 bytes the highest digits first (elements 0..31), then the second ones and so
// on; the same with the 16 bytes behind them; then four digits of each of the four bytes qh.
void unpack_TQ1_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockTQ1_0*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    int8_t* code = out.code + 256 * b;
    for (int i = 0; i < 160; ++i) code[i] = digit(block->qs[i % 32], i / 32);
    for (int i = 0; i < 80; ++i) code[160 + i] = digit(block->qs[32 + i % 16], i / 16);
    for (int i = 0; i < 16; ++i) code[240 + i] = digit(block->qh[i % 4], i / 4);
    set_scale(out, 256 * b, 256, half_to_float(block->d));
  }
}

// Two bits per element, minus 1: bits 2g..2g+1 of byte i of 32 are element 32 g + i.
void unpack_TQ2_0(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockTQ2_0*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    for (int i = 0; i < 256; ++i) {
      const int byte = block->qs[32 * (i / 128) + i % 32];
      out.code[256 * b + i] = static_cast<int8_t>(((byte >> (2 * (i % 128 / 32))) & 3) - 1);
    }
    set_scale(out, 256 * b, 256, half_to_float(block->d));
  }
}

}  // namespace hearth::kernels::reference
