// Tensor types whose codes name vectors of a codebook (codebooks.h), in superblocks of 256: IQ1_S and IQ1_M, IQ2_XXS,
// IQ2_XS and IQ2_S, IQ3_XXS and IQ3_S. Those of IQ2 and IQ3 hold magnitudes, whose signs follow as bits.
#include "kernels/blocks.h"
#include "kernels/half.h"
#include "kernels/reference/codebook_vectors.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

/// Scales of the 16s 2 block and 2 block + 1.
void set_scales(const Unpacked& out, int64_t block, float first, float second) {
  out.scale[2 * block] = first;
  out.scale[2 * block + 1] = second;
  out.min[2 * block] = out.min[2 * block + 1] = 0.0f;
}

/// The signs of eight elements from seven bits: an even number of them is set.
int eight_signs(uint32_t seven) {
  const int bits = static_cast<int>(seven & 127);
  return bits | (__builtin_popcount(seven & 127) % 2) << 7;
}

/// n bytes of a vector, negative where the sign's bit is set.
void put_signed(int8_t* code, uint64_t vector, int n, int signs) {
  for (int i = 0; i < n; ++i) {
    const int magnitude = static_cast<int>(vector >> (8 * i)) & 255;
    code[i] = static_cast<int8_t>(((signs >> i) & 1) != 0 ? -magnitude : magnitude);
  }
}

/// Eight signed bytes plus `delta` each.
void put_shifted(int8_t* code, uint64_t vector, int delta) {
  for (int i = 0; i < 8; ++i) code[i] = static_cast<int8_t>(static_cast<int8_t>(vector >> (8 * i)) + delta);
}

uint32_t load_dword(const uint8_t* p) {
  return p[0] | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}

}  // namespace

// 8 sub-blocks of 32, 8 bytes each: four indices of 8 bits, then a dword of four times seven signs and, on top, a scale
// of 4 bits.
void unpack_IQ2_XXS(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ2_XXS*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ2_XXS& super = block[b / 8];
    const uint8_t* qs = super.qs + b % 8 * 8;
    const uint32_t signs_and_scale = load_dword(qs + 4);
    const float scale = half_to_float(super.d) * (0.5f + static_cast<float>(signs_and_scale >> 28)) * 0.25f;
    set_scales(out, b, scale, scale);
    for (int i = 0; i < 4; ++i) {
      put_signed(out.code + 32 * b + 8 * i, codebooks.iq2_xxs.entry[qs[i]], 8, eight_signs(signs_and_scale >> (7 * i)));
    }
  }
}

// 16 sub-blocks of 16; a word is an index of 9 bits and seven signs, a nibble of scales the scale of a sub-block.
void unpack_IQ2_XS(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ2_XS*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ2_XS& super = block[b / 8];
    const float d = half_to_float(super.d);
    const int scales = super.scales[b % 8];
    set_scales(out, b, d * (0.5f + static_cast<float>(scales & 15)) * 0.25f,
               d * (0.5f + static_cast<float>(scales >> 4)) * 0.25f);
    for (int i = 0; i < 4; ++i) {
      const uint32_t word = super.qs[b % 8 * 4 + i];
      put_signed(out.code + 32 * b + 8 * i, codebooks.iq2_xs.entry[word & 511], 8, eight_signs(word >> 9));
    }
  }
}

// 16 sub-blocks of 16; eight low bits of an index are in qs, two high ones in qh; all eight signs are stored.
void unpack_IQ2_S(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ2_S*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ2_S& super = block[b / 8];
    const float d = half_to_float(super.d);
    const int scales = super.scales[b % 8];
    set_scales(out, b, d * (0.5f + static_cast<float>(scales & 15)) * 0.25f,
               d * (0.5f + static_cast<float>(scales >> 4)) * 0.25f);
    for (int i = 0; i < 4; ++i) {
      const int64_t at = b % 8 * 4 + i;
      const int index = super.qs[at] | ((super.qh[b % 8] >> (2 * i)) & 3) << 8;
      put_signed(out.code + 32 * b + 8 * i, codebooks.iq2_s.entry[index], 8, super.signs[at]);
    }
  }
}

// 8 sub-blocks of 32: eight indices of 8 bits, each of four elements; signs and scale as in IQ2_XXS.
void unpack_IQ3_XXS(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ3_XXS*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ3_XXS& super = block[b / 8];
    const uint32_t signs_and_scale = load_dword(super.signs_and_scales + b % 8 * 4);
    const float scale = half_to_float(super.d) * (0.5f + static_cast<float>(signs_and_scale >> 28)) * 0.5f;
    set_scales(out, b, scale, scale);
    for (int i = 0; i < 8; ++i) {
      const int signs = eight_signs(signs_and_scale >> (7 * (i / 2))) >> (4 * (i % 2));
      put_signed(out.code + 32 * b + 4 * i, codebooks.iq3_xxs.entry[super.qs[b % 8 * 8 + i]], 4, signs);
    }
  }
}

// 8 sub-blocks of 32; a ninth bit of each index is in qh; all signs are stored; a scale is 1 + 2 * (a nibble).
void unpack_IQ3_S(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ3_S*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ3_S& super = block[b / 8];
    const int nibble = (super.scales[b % 8 / 2] >> (4 * (b % 2))) & 15;
    const float scale = half_to_float(super.d) * static_cast<float>(1 + 2 * nibble);
    set_scales(out, b, scale, scale);
    for (int i = 0; i < 8; ++i) {
      const int index = super.qs[b % 8 * 8 + i] | ((super.qh[b % 8] >> i) & 1) << 8;
      const int signs = super.signs[b % 8 * 4 + i / 2] >> (4 * (i % 2));
      put_signed(out.code + 32 * b + 4 * i, codebooks.iq3_s.entry[index], 4, signs);
    }
  }
}

// 8 sub-blocks of 32; a word of qh has four times three high bits of an index, three of a scale 1 + 2 * bits, and a
// sign of the eighth that is added to the 32 elements -1, 0, 1. Codes are eight times the elements, so scales are an
// eighth.
void unpack_IQ1_S(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ1_S*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ1_S& super = block[b / 8];
    const int high = super.qh[b % 8];
    const float scale = half_to_float(super.d) * static_cast<float>(1 + 2 * ((high >> 12) & 7)) * 0.125f;
    set_scales(out, b, scale, scale);
    for (int i = 0; i < 4; ++i) {
      const int index = super.qs[b % 8 * 4 + i] | ((high >> (3 * i)) & 7) << 8;
      put_shifted(out.code + 32 * b + 8 * i, codebooks.iq1.entry[index], (high & 0x8000) != 0 ? -1 : 1);
    }
  }
}

// 16 sub-blocks of 16, scales of three bits, four in a word; d lies in the upper four bits of the four words. A nibble
// of qh has three high bits of an index and the sign of the eighth added to eight elements.
void unpack_IQ1_M(const Unpacked& out, const void* blocks, int64_t n) {
  const auto* block = static_cast<const BlockIQ1_M*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b) {
    const BlockIQ1_M& super = block[b / 8];
    uint16_t d_bits = 0;
    for (int i = 0; i < 4; ++i) d_bits = static_cast<uint16_t>(d_bits | (super.scales[i] >> 12) << (4 * i));
    const float d = half_to_float(d_bits);
    const int scales = super.scales[b % 8 / 2] >> (6 * (b % 2));
    set_scales(out, b, d * static_cast<float>(1 + 2 * (scales & 7)) * 0.125f,
               d * static_cast<float>(1 + 2 * ((scales >> 3) & 7)) * 0.125f);
    for (int i = 0; i < 4; ++i) {
      const int high = super.qh[b % 8 * 2 + i / 2] >> (4 * (i % 2));
      const int index = super.qs[b % 8 * 4 + i] | (high & 7) << 8;
      put_shifted(out.code + 32 * b + 8 * i, codebooks.iq1.entry[index], (high & 8) != 0 ? -1 : 1);
    }
  }
}

}  // namespace hearth::kernels::reference
