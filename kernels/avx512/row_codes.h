// Types with codebooks, 256 codes of a row times those of a column. An entry is looked up as the library packs it,
// eight or four numbers of values in 16 bits, and a step takes the same two numbers of all of them: bytes of 32
// entries, which a shuffle makes values of, times the column's codes in that order. So a lookup brings 2 bytes instead
// of 8, nothing is put together byte by byte, and signs are tested where the file has them. What the bits mean:
// reference/lattices.cpp.
#pragma once

#include "kernels/avx512/panel.h"
//
#include "kernels/x86/row_codes.h"

namespace hearth::kernels::avx512 {
namespace {

HEARTH_INLINE __m512i load_64(const void* p) {
  return _mm512_loadu_si512(p);
}
HEARTH_INLINE __m512i load_two(const void* low, const void* high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(load_32(low)), load_32(high), 1);
}
/// The same 16 bytes in every lane of 128 bits.
HEARTH_INLINE __m512i load_16_of_all(const void* p) {
  return _mm512_broadcast_i32x4(load_16(p));
}
/// Lane i of 128 bits: dword j has four times byte 4 i + which[j].
HEARTH_INLINE __m512i spread(__m512i v, int which0, int which1, int which2, int which3) {
  const auto four = [](int byte) { return 0x01010101 * byte; };
  const __m512i lane = _mm512_setr_epi32(0, 0, 0, 0, four(4), four(4), four(4), four(4), four(8), four(8), four(8),
                                         four(8), four(12), four(12), four(12), four(12));
  const __m128i within = _mm_setr_epi32(four(which0), four(which1), four(which2), four(which3));
  return _mm512_shuffle_epi8(v, _mm512_add_epi8(lane, _mm512_broadcast_i32x4(within)));
}

/// Words of a packed codebook at 32 indices, which are words, too. A dword is read at each: see kPackedIQ2_XXS.
HEARTH_INLINE __m512i words_at(const uint16_t* codebook, __m512i index) {
  const __m512i even_index = _mm512_and_si512(index, _mm512_set1_epi32(0xffff));
  const __m512i even = _mm512_i32gather_epi32(even_index, static_cast<const void*>(codebook), 2);
  const __m512i odd = _mm512_i32gather_epi32(_mm512_srli_epi32(index, 16), static_cast<const void*>(codebook), 2);
  return _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16));
}

/// Adds codes times activations; where `negative`, less.
HEARTH_INLINE __m512i add_signed(__m512i sum, __m512i codes, __m512i a, __mmask64 negative) {
  return _mm512_dpbusd_epi32(sum, codes, _mm512_mask_sub_epi8(a, negative, _mm512_setzero_si512(), a));
}

/// 256 codes of a column for entries of eight: byte 0 of word g of step k belongs to element k of entry g, byte 1 to
/// element k + 4.
struct ColumnOfEights {
  __m512i step[4];

  HEARTH_INLINE explicit ColumnOfEights(const int8_t* q) {
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i v[4];  // dword k of every lane of 128 bits: of two entries
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) v[i] = _mm512_shuffle_epi8(load_64(q + 64 * i), order);
    const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
#pragma GCC unroll 2
    for (int k = 0; k < 4; k += 2) {
      const __m512i which = _mm512_add_epi32(first, _mm512_set1_epi32(k));
      const __m512i low = _mm512_permutex2var_epi32(v[0], which, v[1]);
      const __m512i high = _mm512_permutex2var_epi32(v[2], which, v[3]);
      step[k] = _mm512_shuffle_i32x4(low, high, 0x44);
      step[k + 1] = _mm512_shuffle_i32x4(low, high, 0xee);
    }
  }
};
/// Two bits for step k of each byte of the words.
HEARTH_INLINE __m512i two_bits(__m512i words, int k) {
  return _mm512_srli_epi16(words, static_cast<unsigned>(2 * k));
}

/// IQ2: sums of 16 elements each, in their order. signs: a byte for each entry.
HEARTH_INLINE __m512i eights_times(const ColumnOfEights& a, const uint16_t* codebook, __m512i index, __m256i signs) {
  const __m512i values = _mm512_set1_epi32(load_as<int32_t>(reference::kValuesIQ2));
  const __m512i words = words_at(codebook, index);
  const __m512i bytes = _mm512_cvtepu8_epi16(signs), both = _mm512_or_si512(bytes, _mm512_slli_epi16(bytes, 8));
  __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const __m512i number = _mm512_and_si512(two_bits(words, k), _mm512_set1_epi8(3));
    const __mmask64 negative = _mm512_test_epi8_mask(both, _mm512_set1_epi16(static_cast<short>(0x1001 << k)));
    sum = add_signed(sum, _mm512_shuffle_epi8(values, number), a.step[k], negative);
  }
  return sum;
}
/// IQ1: the same, codes plus kCodeOffset. down: both bytes of a word 4 where the entry is an eighth less, else 0.
HEARTH_INLINE __m512i steps_times(const ColumnOfEights& a, __m512i index, __m512i down) {
  const __m512i value = _mm512_set1_epi32(load_as<int32_t>(reference::kValuesIQ1));
  const __m512i step = _mm512_set1_epi64(0x7f7f7f7f81818181);  // 128 + 1 four times, 128 - 1
  const __m512i values = _mm512_add_epi8(value, step), words = words_at(reference::kPackedIQ1, index);
  __m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    const __m512i number = and_or(two_bits(words, k), _mm512_set1_epi8(3), down);
    sum = _mm512_dpbusd_epi32(sum, _mm512_shuffle_epi8(values, number), a.step[k]);
  }
  return sum;
}

/// 256 codes of a column for entries of four: byte 0 of word e of step [half][k] belongs to element k of entry e of
/// that half, byte 1 to element k + 2.
struct ColumnOfFours {
  __m512i step[2][2];

  HEARTH_INLINE explicit ColumnOfFours(const int8_t* q) {
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    const __m512i first = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m512i low = _mm512_shuffle_epi8(load_64(q + 128 * half), order);
      const __m512i high = _mm512_shuffle_epi8(load_64(q + 128 * half + 64), order);
      step[half][0] = _mm512_permutex2var_epi64(low, first, high);
      step[half][1] = _mm512_permutex2var_epi64(low, _mm512_add_epi64(first, _mm512_set1_epi64(1)), high);
    }
  }
};

/// IQ3: sums of 16 elements each, in their order. index: of 32 entries each; signs: a byte for every two entries.
HEARTH_INLINE __m512i fours_times(const ColumnOfFours& a, const uint16_t* codebook, const uint8_t* values,
                                  const __m512i index[2], const void* signs) {
  const __m512i value = _mm512_set1_epi64(load_as<int64_t>(values));
  __m512i sum[2];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m512i words = words_at(codebook, index[half]);
    // Three bits for step k of each byte.
    const __m512i numbers = and_or(_mm512_slli_epi16(words, 2), _mm512_set1_epi16(0x3f00),
                                   _mm512_and_si512(words, _mm512_set1_epi16(0x003f)));
    const __m512i bytes = spread(load_16_of_all(static_cast<const uint8_t*>(signs) + 16 * half), 0, 1, 2, 3);
    __m512i eights = _mm512_setzero_si512();  // of eight elements each
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const __m512i number =
          _mm512_and_si512(_mm512_srli_epi16(numbers, static_cast<unsigned>(3 * k)), _mm512_set1_epi8(7));
      const __mmask64 negative =
          _mm512_test_epi8_mask(bytes, _mm512_set1_epi32(static_cast<int32_t>(0x40100401u << k)));
      eights = add_signed(eights, _mm512_shuffle_epi8(value, number), a.step[half][k], negative);
    }
    sum[half] = _mm512_add_epi32(eights, _mm512_srli_epi64(eights, 32));
  }
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_epi32(sum[0], even, sum[1]);
}

/// What a type with a codebook makes of 256 codes of a column, sums of 16 elements each: Column, what it wants of them,
/// and times(). With kOffset, of codes plus kCodeOffset.
template <typename Row>
struct RowDots;

template <>
struct RowDots<RowIQ2_XXS> {
  using Column = ColumnOfEights;
  static constexpr bool kOffset = false;
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ2_XXS& b, const RowSigns& signs) {
    const __m256i index = _mm512_cvtepi64_epi32(load_64(b.qs));  // the first dword of each block
    return eights_times(a, reference::kPackedIQ2_XXS, _mm512_cvtepu8_epi16(index), load_32(signs.of_block));
  }
};
template <>
struct RowDots<RowIQ2_XS> {
  using Column = ColumnOfEights;
  static constexpr bool kOffset = false;
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ2_XS& b, const RowSigns& signs) {
    const __m512i words = load_64(bytes_at(b, offsetof(BlockIQ2_XS, qs)));
    return eights_times(a, reference::kPackedIQ2_XS, _mm512_and_si512(words, _mm512_set1_epi16(511)),
                        load_32(signs.of_block));
  }
};
template <>
struct RowDots<RowIQ2_S> {
  using Column = ColumnOfEights;
  static constexpr bool kOffset = false;
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ2_S& b, const RowIndices<32>& p) {
    return eights_times(a, reference::kPackedIQ2_S, load_two(p.index, p.index + 16), load_32(b.signs));
  }
};
template <>
struct RowDots<RowIQ3_XXS> {
  using Column = ColumnOfFours;
  static constexpr bool kOffset = false;
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ3_XXS& b, const RowSigns& signs) {
    const __m512i index[2] = {_mm512_cvtepu8_epi16(load_32(b.qs)), _mm512_cvtepu8_epi16(load_32(b.qs + 32))};
    return fours_times(a, reference::kPackedIQ3_XXS, reference::kValuesIQ3_XXS, index, signs.of_block);
  }
};
template <>
struct RowDots<RowIQ3_S> {
  using Column = ColumnOfFours;
  static constexpr bool kOffset = false;
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ3_S& b, const RowIndices<64>& p) {
    const __m512i index[2] = {load_two(p.index, p.index + 16), load_two(p.index + 32, p.index + 48)};
    return fours_times(a, reference::kPackedIQ3_S, reference::kValuesIQ3_S, index, b.signs);
  }
};
template <>
struct RowDots<RowIQ1_S> {
  using Column = ColumnOfEights;
  static constexpr bool kOffset = true;
  /// The top bit of a block's word says it of four entries.
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ1_S& b, const RowIndices<32>& p) {
    const __m512i blocks = spread(load_16_of_all(RowIQ1_S::high_words(b)), 1, 1, 3, 3);
    return steps_times(a, load_two(p.index, p.index + 16),
                       _mm512_and_si512(_mm512_srli_epi16(blocks, 5), _mm512_set1_epi8(4)));
  }
};
template <>
struct RowDots<RowIQ1_M> {
  using Column = ColumnOfEights;
  static constexpr bool kOffset = true;
  /// Bit 3 of a nibble says it of an entry.
  static HEARTH_INLINE __m512i times(const Column& a, const BlockIQ1_M& b, const RowIndices<32>& p) {
    const __m512i bytes = spread(load_16_of_all(b.qh), 0, 1, 2, 3);
    const __mmask32 down = _mm512_test_epi16_mask(bytes, _mm512_set1_epi32(static_cast<int32_t>(0x80800808u)));
    return steps_times(a, load_two(p.index, p.index + 16), _mm512_maskz_set1_epi16(down, 0x0404));
  }
};

}  // namespace
}  // namespace hearth::kernels::avx512
