// Panels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4 (layouts: reference/codebooks.cpp).
#include "kernels/avx512/dot.h"
#include "kernels/avx512/matmul.h"
#include "kernels/blocks.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::avx512 {
namespace {

/// A table of 16 signed bytes plus kCodeOffset, in every 128-bit lane.
inline __attribute__((always_inline)) __m512i table_of(const int8_t* values) {
  const __m128i table = _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(values)));
  return _mm512_xor_si512(_mm512_broadcast_i32x4(table), _mm512_set1_epi8(-128));
}

/// 32 looked-up nibbles from 16 bytes a row; low nibbles are columns 0..15.
template <typename Writer>
inline __attribute__((always_inline)) void give_looked_up(Writer& writer, int block, const __m512i raw[4],
                                                          __m512i table) {
  const __m512i four = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    writer.code(block, s, _mm512_shuffle_epi8(table, _mm512_and_si512(raw[s], four)));
    writer.code(block, s + 4, _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(raw[s], 4), four)));
  }
  writer.finish(block);
}

/// Half of 2^(e - 127).
inline __attribute__((always_inline)) __m512 half_of_e8m0(__m512i e) {
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
  const __m512i subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmple_epi32_mask(e, one), subnormal));
}

struct DecodeIQ4NL {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_NL);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 2);
    writer.scale(0, 0, low_halves(gather_dwords(rows, at)));
    give_looked_up(writer, 0, raw, table_of(reference::kIQ4Values));
  }
};

struct DecodeMXFP4 {
  static constexpr int kBlocks = 1;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockMXFP4);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<1>(at);
    __m512i raw[4];
    transpose_16_bytes(raw, rows, at + 1);
    const __m512i e = _mm512_and_si512(gather_dwords(rows, at), _mm512_set1_epi32(255));
    writer.scale(0, 0, half_of_e8m0(e));
    give_looked_up(writer, 0, raw, table_of(reference::kFP4Doubled));
  }
};

struct DecodeIQ4XS {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_XS);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    const __m512i table = table_of(reference::kIQ4Values);
    const __m512i head = gather_dwords(rows, at);
    const __m512i low = gather_dwords(rows, at + 4);
    const __m512 d = low_halves(head);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      rows.prefetch<3, 2>(at, 2 * j);
      const __m512i four_bits =
          _mm512_and_si512(_mm512_srli_epi32(low, static_cast<unsigned>(4 * j)), _mm512_set1_epi32(15));
      const __m512i two_bits =
          _mm512_and_si512(_mm512_srli_epi32(head, static_cast<unsigned>(16 + 2 * j)), _mm512_set1_epi32(3));
      const __m512i scale = _mm512_or_si512(four_bits, _mm512_slli_epi32(two_bits, 4));
      const __m512i centered = _mm512_sub_epi32(scale, _mm512_set1_epi32(32));
      writer.scale(j, 0, _mm512_mul_ps(d, _mm512_cvtepi32_ps(centered)));
      __m512i raw[4];
      transpose_16_bytes(raw, rows, at + 8 + 16 * j);
      give_looked_up(writer, j, raw, table);
    }
  }
};

}  // namespace

HEARTH_DEFINE_KERNELS(IQ4_NL, DecodeIQ4NL, 1)
HEARTH_DEFINE_KERNELS(IQ4_XS, DecodeIQ4XS, 1)
HEARTH_DEFINE_KERNELS(MXFP4, DecodeMXFP4, 1)

}  // namespace hearth::kernels::avx512
