// Decoders of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 (bit layouts: reference/blocks32.cpp).
#pragma once

#include "kernels/blocks.h"
#include "kernels/x86/decode.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels {
namespace {

/// 32 nibbles plus kAdd from 16 bytes a row; low nibbles are columns 0..15.
template <int kAdd, typename Writer>
HEARTH_INLINE void give_nibbles(Writer& writer, const __m256i raw[4]) {
  const __m256i add = _mm256_set1_epi8(kAdd);
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    writer.code(0, s, _mm256_add_epi8(low_nibbles(raw[s]), add));
    writer.code(0, s + 4, _mm256_add_epi8(high_nibbles(raw[s]), add));
  }
}

/// Nibbles with a fifth bit: bit i of the dword `high` of a row belongs to column i.
template <int kStep, typename Writer>
HEARTH_INLINE void give_five_bits(Writer& writer, __m256i raw, __m256i high) {
  writer.code(0, kStep, _mm256_or_si256(low_nibbles(raw), writer.template take_bits<kStep>(high)));
  writer.code(0, kStep + 4, _mm256_or_si256(high_nibbles(raw), writer.template take_bits<kStep + 4>(high)));
}
template <typename Writer>
HEARTH_INLINE void give_all_five_bits(Writer& writer, const __m256i raw[4], __m256i high) {
  give_five_bits<0>(writer, raw[0], high);
  give_five_bits<1>(writer, raw[1], high);
  give_five_bits<2>(writer, raw[2], high);
  give_five_bits<3>(writer, raw[3], high);
}

struct DecodeQ4_0 {
  static constexpr Codes kCodes = Codes::kBiased;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockQ4_0);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i raw[4];
    take_16<Writer>(raw, rows, at + 2);
    writer.scale(0, 0, low_halves(first_dwords(rows, at)));
    give_nibbles<8>(writer, raw);  // nibble - 8, stored 16 higher
    writer.template done<kBlocks>();
  }
};

struct DecodeQ4_1 {
  static constexpr Codes kCodes = Codes::kPlain;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockQ4_1);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i raw[4];
    take_16<Writer>(raw, rows, at + 4);
    const __m256i d_and_m = first_dwords(rows, at);
    writer.scale(0, 0, low_halves(d_and_m));
    writer.min(0, 0, _mm256_sub_ps(_mm256_setzero_ps(), high_halves(d_and_m)));
    give_nibbles<0>(writer, raw);
    writer.template done<kBlocks>();
  }
};

struct DecodeQ5_0 {
  static constexpr Codes kCodes = Codes::kBiased;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockQ5_0);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i head[4], raw[4];
    transpose_16_bytes(head, rows, at);
    take_16<Writer>(raw, rows, at + 6);
    const __m256i high = _mm256_or_si256(_mm256_srli_epi32(head[0], 16), _mm256_slli_epi32(head[1], 16));
    writer.scale(0, 0, low_halves(head[0]));
    give_all_five_bits(writer, raw, high);  // code - 16, stored 16 higher
    writer.template done<kBlocks>();
  }
};

struct DecodeQ5_1 {
  static constexpr Codes kCodes = Codes::kBiased;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockQ5_1);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i head[4], raw[4];
    transpose_16_bytes(head, rows, at);
    take_16<Writer>(raw, rows, at + 8);
    const __m256 d = low_halves(head[0]), m = high_halves(head[0]);
    writer.scale(0, 0, d);
    writer.min(0, 0, _mm256_fnmadd_ps(d, _mm256_set1_ps(16.0f), _mm256_sub_ps(_mm256_setzero_ps(), m)));
    give_all_five_bits(writer, raw, head[1]);
    writer.template done<kBlocks>();
  }
};

struct DecodeQ8_0 {
  static constexpr Codes kCodes = Codes::kSigned;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockQ8_0);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    writer.scale(0, 0, low_halves(first_dwords(rows, at)));
    __m256i raw[8];
    take_32<Writer>(raw, rows, at + 2);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) writer.code(0, s, raw[s]);
    writer.template done<kBlocks>();
  }
};

}  // namespace
}  // namespace hearth::kernels
