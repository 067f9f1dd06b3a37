// Panels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 (bit layouts: reference/blocks32.cpp).
#include "kernels/blocks.h"

#include "kernels/avx512/dot.h"
#include "kernels/avx512/matmul.h"

namespace hearth::kernels::avx512 {
namespace {

/// 32 nibbles plus `offset` from 16 bytes a row; low nibbles are columns 0..15.
template <typename Writer>
inline __attribute__((always_inline)) void give_nibbles(Writer& writer, const __m512i raw[4], int offset) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i add = _mm512_set1_epi8(static_cast<char>(offset));
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    writer.code(0, s, _mm512_add_epi8(_mm512_and_si512(raw[s], four), add));
    writer.code(0, s + 4, _mm512_add_epi8(_mm512_and_si512(_mm512_srli_epi16(raw[s], 4), four), add));
  }
}

/// The same with a fifth bit: bit i of the dword `high` belongs to column i.
template <typename Writer>
inline __attribute__((always_inline)) void give_five_bits(Writer& writer, const __m512i raw[4], __m512i high,
                                                          int offset) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i add = _mm512_set1_epi8(static_cast<char>(offset));
  // Entry i: bit j of i at bit 4 of byte j.
  const __m512i spread =
      _mm512_setr_epi32(0, 0x10, 0x1000, 0x1010, 0x100000, 0x100010, 0x101000, 0x101010, 0x10000000, 0x10000010,
                        0x10001000, 0x10001010, 0x10100000, 0x10100010, 0x10101000, 0x10101010);
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    const __m512i fifth0 = _mm512_permutexvar_epi32(_mm512_srli_epi32(high, static_cast<unsigned>(4 * s)), spread);
    const __m512i fifth1 = _mm512_permutexvar_epi32(_mm512_srli_epi32(high, static_cast<unsigned>(4 * s + 16)), spread);
    writer.code(0, s, _mm512_add_epi8(and_or(raw[s], four, fifth0), add));
    writer.code(0, s + 4, _mm512_add_epi8(and_or(_mm512_srli_epi16(raw[s], 4), four, fifth1), add));
  }
}

/// Scale d and minimum -m from dwords holding both halves.
template <typename Writer>
inline __attribute__((always_inline)) void give_scale_and_min(Writer& writer, __m512i d_and_m) {
  writer.scale(0, 0, low_halves(d_and_m));
  const __m512 m = low_halves(_mm512_srli_epi32(d_and_m, 16));
  writer.min(0, 0, _mm512_sub_ps(_mm512_setzero_ps(), m));
}

struct DecodeQ40 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockQ4_0);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 2);
    writer.scale(0, 0, low_halves(gather_dwords(rows, at)));
    give_nibbles(writer, raw, kCodeOffset - 8);
    writer.finish(0);
  }
};

struct DecodeQ41 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  static constexpr int64_t kBytes = sizeof(BlockQ4_1);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 4);
    give_scale_and_min(writer, gather_dwords(rows, at));
    give_nibbles(writer, raw, kCodeOffset);
    writer.finish(0);
  }
};

struct DecodeQ50 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockQ5_0);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 6);
    writer.scale(0, 0, low_halves(gather_dwords(rows, at)));
    give_five_bits(writer, raw, gather_dwords(rows, at + 2), kCodeOffset - 16);
    writer.finish(0);
  }
};

struct DecodeQ51 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = true;
  static constexpr int64_t kBytes = sizeof(BlockQ5_1);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 8);
    give_scale_and_min(writer, gather_dwords(rows, at));
    give_five_bits(writer, raw, gather_dwords(rows, at + 4), kCodeOffset);
    writer.finish(0);
  }
};

struct DecodeQ80 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockQ8_0);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    const __m512i offset = _mm512_set1_epi8(-128);
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 2);
    writer.scale(0, 0, low_halves(gather_dwords(rows, at)));
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) writer.code(0, s, _mm512_xor_si512(raw[s], offset));
    writer.finish(0);
  }
};

}  // namespace

HEARTH_DEFINE_KERNELS(Q4_0, DecodeQ40, 1)
HEARTH_DEFINE_KERNELS(Q4_1, DecodeQ41, 1)
HEARTH_DEFINE_KERNELS(Q5_0, DecodeQ50, 1)
HEARTH_DEFINE_KERNELS(Q5_1, DecodeQ51, 1)
HEARTH_DEFINE_KERNELS(Q8_0, DecodeQ80, 5)

}  // namespace hearth::kernels::avx512
