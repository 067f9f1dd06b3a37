// Encoders of the IQ types: what the search of codebook.h found, as bits.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/codebook.h"

namespace hearth::kernels {
namespace {

/// Seven of eight signs; the eighth follows from their number.
inline uint32_t seven_signs(uint8_t signs) {
  return signs & 127u;
}

inline void put_dword(uint8_t* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

inline uint32_t signs_and_scale(const Coded& part, int whole) {
  uint32_t word = static_cast<uint32_t>(whole) << 28;
  for (int i = 0; i < 4; ++i) word |= seven_signs(part.signs[i]) << (7 * i);
  return word;
}

inline const float* at_column(const float* w, int64_t i) {
  return w != nullptr ? w + i : nullptr;
}

void encode_IQ2_XXS(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ2_XXS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ2_XXS, 8, 0.25f, 15, true}, x + 256 * b, at_column(w, 256 * b));
    block->d = made.d;
    for (int j = 0; j < 8; ++j) {
      for (int i = 0; i < 4; ++i) block->qs[8 * j + i] = static_cast<uint8_t>(made.part[j].entry[i]);
      put_dword(block->qs + 8 * j + 4, signs_and_scale(made.part[j], made.whole[j]));
    }
  }
}

void encode_IQ2_XS(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ2_XS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ2_XS, 16, 0.25f, 15, true}, x + 256 * b, at_column(w, 256 * b));
    block->d = made.d;
    for (int i = 0; i < 32; ++i) {
      const Coded& part = made.part[i / 2];
      block->qs[i] = static_cast<uint16_t>(part.entry[i % 2] | seven_signs(part.signs[i % 2]) << 9);
    }
    for (int j = 0; j < 8; ++j) block->scales[j] = static_cast<uint8_t>(made.whole[2 * j] | made.whole[2 * j + 1] << 4);
  }
}

void encode_IQ2_S(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ2_S*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ2_S, 16, 0.25f, 15, false}, x + 256 * b, at_column(w, 256 * b));
    *block = {};
    block->d = made.d;
    for (int i = 0; i < 32; ++i) {
      const Coded& part = made.part[i / 2];
      block->qs[i] = static_cast<uint8_t>(part.entry[i % 2]);
      block->qh[i / 4] = static_cast<uint8_t>(block->qh[i / 4] | (part.entry[i % 2] >> 8) << (2 * (i % 4)));
      block->signs[i] = part.signs[i % 2];
    }
    for (int j = 0; j < 8; ++j) block->scales[j] = static_cast<uint8_t>(made.whole[2 * j] | made.whole[2 * j + 1] << 4);
  }
}

void encode_IQ3_XXS(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ3_XXS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ3_XXS, 8, 0.5f, 15, true}, x + 256 * b, at_column(w, 256 * b));
    block->d = made.d;
    for (int j = 0; j < 8; ++j) {
      for (int i = 0; i < 8; ++i) block->qs[8 * j + i] = static_cast<uint8_t>(made.part[j].entry[i]);
      put_dword(block->signs_and_scales + 4 * j, signs_and_scale(made.part[j], made.whole[j]));
    }
  }
}

void encode_IQ3_S(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ3_S*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ3_S, 8, 2.0f, 15, false}, x + 256 * b, at_column(w, 256 * b));
    *block = {};
    block->d = made.d;
    for (int j = 0; j < 8; ++j) {
      for (int i = 0; i < 8; ++i) {
        block->qs[8 * j + i] = static_cast<uint8_t>(made.part[j].entry[i]);
        block->qh[j] = static_cast<uint8_t>(block->qh[j] | (made.part[j].entry[i] >> 8) << i);
      }
      for (int i = 0; i < 4; ++i) block->signs[4 * j + i] = made.part[j].signs[i];
      block->scales[j / 2] = static_cast<uint8_t>(block->scales[j / 2] | made.whole[j] << (4 * (j % 2)));
    }
  }
}

void encode_IQ1_S(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ1_S*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ1, 8, 0.25f, 7, false}, x + 256 * b, at_column(w, 256 * b));
    block->d = made.d;
    for (int j = 0; j < 8; ++j) {
      const Coded& part = made.part[j];
      int high = made.whole[j] << 12 | (part.negative[0] ? 0x8000 : 0);
      for (int i = 0; i < 4; ++i) {
        block->qs[4 * j + i] = static_cast<uint8_t>(part.entry[i]);
        high |= (part.entry[i] >> 8) << (3 * i);
      }
      block->qh[j] = static_cast<uint16_t>(high);
    }
  }
}

void encode_IQ1_M(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ1_M*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    const CodedSuperblock made =
        encode_by_book({BookName::kIQ1, 16, 0.25f, 7, false}, x + 256 * b, at_column(w, 256 * b));
    *block = {};
    for (int i = 0; i < 32; ++i) {
      const Coded& part = made.part[i / 2];
      block->qs[i] = static_cast<uint8_t>(part.entry[i % 2]);
      const int nibble = part.entry[i % 2] >> 8 | (part.negative[i % 2] ? 8 : 0);
      block->qh[i / 2] = static_cast<uint8_t>(block->qh[i / 2] | nibble << (4 * (i % 2)));
    }
    for (int i = 0; i < 4; ++i) {
      int word = ((made.d >> (4 * i)) & 15) << 12;
      for (int k = 0; k < 4; ++k) word |= made.whole[4 * i + k] << (3 * k);
      block->scales[i] = static_cast<uint16_t>(word);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
