// Codes of types that are decoded row by row, 32 at a time: they come from codebooks, or from bits too scattered for
// all rows to be decoded in step. In registers of 256 bits, for every x86 instruction set; x86/decode_rows.h and
// avx512/rows.cpp give them to writers.
//
// Each struct describes a type: kBlocks of 32 in its Block, kHalves scales in each of these, kLargest code;
// scales(block, half): lane j is the scale of that half of block j; Prepared, what prepare() takes from a Block once
// for all its codes; codes(block, prepared, j): 32 codes of block j as signed bytes. What the bits mean:
// reference/lattices.cpp, reference/ternary.cpp, reference/codebooks.cpp.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/blocks.h"
#include "kernels/reference/codebook_vectors.h"
#include "kernels/reference/quants.h"
#include "kernels/x86/bytes.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels {
namespace {

// --- parts ----------------------------------------------------------------------------------------------------------

HEARTH_INLINE __m256i dwords_of_8_bytes(const void* p) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
}
template <typename T>
HEARTH_INLINE T load_as(const void* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

/// The bytes of a block's member at `offset`.
template <typename Block>
HEARTH_INLINE const uint8_t* bytes_at(const Block& b, size_t offset) {
  return static_cast<const uint8_t*>(static_cast<const void*>(&b)) + offset;
}

/// A half-precision number in every lane.
HEARTH_INLINE __m256 splat_half(half_t half) {
  return _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(half)));
}
/// (x + 0.5) * d / kDivisor, x of small integers: exact.
template <int kDivisor>
HEARTH_INLINE __m256 scales_of(__m256i x, half_t d) {
  const __m256 factor = _mm256_mul_ps(splat_half(d), _mm256_set1_ps(1.0f / kDivisor));
  return _mm256_mul_ps(_mm256_add_ps(_mm256_cvtepi32_ps(x), _mm256_set1_ps(0.5f)), factor);
}
/// Nibble `high` of each dword.
HEARTH_INLINE __m256i nibbles_of(__m256i dwords, int high) {
  return _mm256_and_si256(_mm256_srli_epi32(dwords, 4 * high), _mm256_set1_epi32(15));
}

/// Bytes 0..3 of a dword eight times each.
HEARTH_INLINE __m256i spread_bytes(uint32_t dword) {
  const __m256i which = _mm256_setr_epi32(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303);
  return _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int32_t>(dword)), which);
}
/// Magnitudes with signs: bit i of the dword belongs to byte i.
HEARTH_INLINE __m256i with_signs(__m256i magnitudes, uint32_t signs) {
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m256i negative = _mm256_cmpeq_epi8(_mm256_and_si256(spread_bytes(signs), bit), bit);
  return _mm256_sub_epi8(_mm256_xor_si256(magnitudes, negative), negative);
}
/// Bytes of seven bits with the eighth that makes the number of set ones even.
HEARTH_INLINE __m256i with_even_parity(__m256i sevens) {
  __m256i parity = _mm256_xor_si256(sevens, _mm256_srli_epi16(sevens, 4));
  parity = _mm256_xor_si256(parity, _mm256_srli_epi16(parity, 2));
  parity = _mm256_xor_si256(parity, _mm256_srli_epi16(parity, 1));  // of each byte in its bit 0
  return _mm256_or_si256(sevens, _mm256_slli_epi16(_mm256_and_si256(parity, _mm256_set1_epi8(1)), 7));
}
/// Four times seven bits of each dword as bytes with even parity.
HEARTH_INLINE __m256i signs_of_28_bits(__m256i dwords) {
  const __m256i b0 = _mm256_and_si256(dwords, _mm256_set1_epi32(0x7f));
  const __m256i b1 = _mm256_and_si256(_mm256_slli_epi32(dwords, 1), _mm256_set1_epi32(0x7f00));
  const __m256i b2 = _mm256_and_si256(_mm256_slli_epi32(dwords, 2), _mm256_set1_epi32(0x7f0000));
  const __m256i b3 = _mm256_and_si256(_mm256_slli_epi32(dwords, 3), _mm256_set1_epi32(0x7f000000));
  return with_even_parity(_mm256_or_si256(_mm256_or_si256(b0, b1), _mm256_or_si256(b2, b3)));
}

/// Signs of 8 blocks of 32.
struct RowSigns {
  alignas(32) uint32_t of_block[8];

  HEARTH_INLINE void set(__m256i dwords) {
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(of_block)), dwords);
  }
};
struct NothingPrepared {};

/// Indices into a codebook of kCount vectors of a Block. Where the bits of an index lie apart, joining them one by one
/// would take longer than all else.
template <int kCount>
struct RowIndices {
  alignas(32) uint16_t index[kCount];

  /// Indices 16 i to 16 i + 15: their low bytes from p on, the higher bits as words.
  HEARTH_INLINE void set(int i, const uint8_t* p, __m256i high) {
    const __m256i words = _mm256_or_si256(_mm256_cvtepu8_epi16(load_16(p + 16 * i)), high);
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(index + 16 * i)), words);
  }
};
/// words * factors with the bits of `mask` alone: shifts left that differ from lane to lane.
HEARTH_INLINE __m256i shifted(__m256i words, __m256i factors, int mask) {
  return _mm256_and_si256(_mm256_mullo_epi16(words, factors), _mm256_set1_epi16(static_cast<short>(mask)));
}

/// Four vectors of eight, vector i at index(i).
template <int kCount, typename Index>
HEARTH_INLINE __m256i four_of(const reference::Codebook<uint64_t, kCount>& codebook, const Index& index) {
  const auto at = [&](int i) { return static_cast<int64_t>(codebook.entry[index(i)]); };
  return _mm256_setr_epi64x(at(0), at(1), at(2), at(3));
}
/// Eight vectors of four, vector i at index(i). Eight loads: with a gather one column of IQ3_XXS takes 1.4 times as
/// long on a Zen 4.
template <int kCount, typename Index>
HEARTH_INLINE __m256i eight_of(const reference::Codebook<uint32_t, kCount>& codebook, const Index& index) {
  const auto at = [&](int i) { return static_cast<int32_t>(codebook.entry[index(i)]); };
  return _mm256_setr_epi32(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
}

// --- types: codebooks
// ---------------------------------------------------------------------------------------------------

struct RowIQ2_XXS {
  using Block = BlockIQ2_XXS;
  using Prepared = RowSigns;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 43;

  /// The second dword of each block.
  static HEARTH_INLINE __m256i signs_and_scales(const Block& b) {
    const __m256 low = _mm256_castsi256_ps(load_32(b.qs)), high = _mm256_castsi256_ps(load_32(b.qs + 32));
    return _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd)), 0xd8);
  }
  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) {
    return scales_of<4>(_mm256_srli_epi32(signs_and_scales(b), 28), b.d);
  }
  static HEARTH_INLINE void prepare(Prepared& signs, const Block& b) {
    signs.set(signs_of_28_bits(signs_and_scales(b)));
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& signs, int j) {
    const uint8_t* q = b.qs + 8 * j;
    return with_signs(four_of(reference::codebooks.iq2_xxs, [q](int i) { return q[i]; }), signs.of_block[j]);
  }
};

struct RowIQ2_XS {
  using Block = BlockIQ2_XS;
  using Prepared = RowSigns;
  static constexpr int kBlocks = 8, kHalves = 2, kLargest = 43;

  static HEARTH_INLINE __m256 scales(const Block& b, int half) {
    return scales_of<4>(nibbles_of(dwords_of_8_bytes(b.scales), half), b.d);
  }
  static HEARTH_INLINE void prepare(Prepared& signs, const Block& b) {
    const uint8_t* words = bytes_at(b, offsetof(Block, qs));
    const __m256i low = _mm256_srli_epi16(load_32(words), 9), high = _mm256_srli_epi16(load_32(words + 32), 9);
    signs.set(with_even_parity(_mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xd8)));
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& signs, int j) {
    const auto words = load_as<uint64_t>(bytes_at(b, offsetof(Block, qs)) + 8 * j);
    const auto index = [words](int i) { return static_cast<uint32_t>(words >> (16 * i)) & 511; };
    return with_signs(four_of(reference::codebooks.iq2_xs, index), signs.of_block[j]);
  }
};

struct RowIQ2_S {
  using Block = BlockIQ2_S;
  using Prepared = RowIndices<32>;
  static constexpr int kBlocks = 8, kHalves = 2, kLargest = 43;

  static HEARTH_INLINE __m256 scales(const Block& b, int half) {
    return scales_of<4>(nibbles_of(dwords_of_8_bytes(b.scales), half), b.d);
  }
  static HEARTH_INLINE void prepare(Prepared& p, const Block& b) {
    const __m256i spread = _mm256_setr_epi32(static_cast<int32_t>(0x80008000u), static_cast<int32_t>(0x80008000u),
                                             static_cast<int32_t>(0x80018001u), static_cast<int32_t>(0x80018001u),
                                             static_cast<int32_t>(0x80028002u), static_cast<int32_t>(0x80028002u),
                                             static_cast<int32_t>(0x80038003u), static_cast<int32_t>(0x80038003u));
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256i words = _mm256_shuffle_epi8(_mm256_set1_epi32(load_as<int32_t>(b.qh + 4 * i)), spread);
      p.set(i, b.qs, shifted(words, _mm256_set1_epi64x(0x0004001000400100), 0x300));
    }
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& p, int j) {
    const uint16_t* index = p.index + 4 * j;
    return with_signs(four_of(reference::codebooks.iq2_s, [index](int i) { return index[i]; }),
                      load_as<uint32_t>(b.signs + 4 * j));
  }
};

struct RowIQ3_XXS {
  using Block = BlockIQ3_XXS;
  using Prepared = RowSigns;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 62;

  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) {
    return scales_of<2>(_mm256_srli_epi32(load_32(b.signs_and_scales), 28), b.d);
  }
  static HEARTH_INLINE void prepare(Prepared& signs, const Block& b) {
    signs.set(signs_of_28_bits(load_32(b.signs_and_scales)));
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& signs, int j) {
    const uint8_t* q = b.qs + 8 * j;
    return with_signs(eight_of(reference::codebooks.iq3_xxs, [q](int i) { return q[i]; }), signs.of_block[j]);
  }
};

struct RowIQ3_S {
  using Block = BlockIQ3_S;
  using Prepared = RowIndices<64>;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 15;

  /// d * (1 + 2 * nibble): twice (nibble + 0.5).
  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) {
    const __m256i dword = _mm256_set1_epi32(load_as<int32_t>(b.scales));
    const __m256i nibbles = _mm256_srlv_epi32(dword, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    const __m256 scale = scales_of<1>(_mm256_and_si256(nibbles, _mm256_set1_epi32(15)), b.d);
    return _mm256_add_ps(scale, scale);
  }
  static HEARTH_INLINE void prepare(Prepared& p, const Block& b) {
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
                                          static_cast<short>(0x8000));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256i bits = _mm256_and_si256(_mm256_set1_epi16(load_as<int16_t>(b.qh + 2 * i)), bit);
      p.set(i, b.qs, _mm256_and_si256(_mm256_cmpeq_epi16(bits, bit), _mm256_set1_epi16(256)));
    }
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& p, int j) {
    const uint16_t* index = p.index + 8 * j;
    return with_signs(eight_of(reference::codebooks.iq3_s, [index](int i) { return index[i]; }),
                      load_as<uint32_t>(b.signs + 4 * j));
  }
};

struct RowIQ1_S {
  using Block = BlockIQ1_S;
  using Prepared = RowIndices<32>;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 9;

  static HEARTH_INLINE const uint8_t* high_words(const Block& b) { return bytes_at(b, offsetof(Block, qh)); }
  /// d * (1 + 2 * bits) / 8.
  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) {
    const __m256i words = _mm256_cvtepu16_epi32(load_16(high_words(b)));
    return scales_of<4>(_mm256_and_si256(_mm256_srli_epi32(words, 12), _mm256_set1_epi32(7)), b.d);
  }
  static HEARTH_INLINE void prepare(Prepared& p, const Block& b) {
    const __m256i spread = _mm256_setr_epi32(0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x05040504, 0x05040504,
                                             0x07060706, 0x07060706);
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256i four = _mm256_set1_epi64x(load_as<int64_t>(high_words(b) + 8 * i));
      const __m256i words = _mm256_shuffle_epi8(four, spread);  // each for four indices: bits 0, 3, 6 and 9 up to bit 8
      const __m256i last = _mm256_mulhi_epu16(words, _mm256_set1_epi64x(static_cast<int64_t>(0x8000000000000000u)));
      const __m256i moved = _mm256_mullo_epi16(words, _mm256_set1_epi64x(0x0000000400200100));
      p.set(i, b.qs, _mm256_and_si256(_mm256_or_si256(moved, last), _mm256_set1_epi16(0x700)));
    }
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& p, int j) {
    const uint16_t* index = p.index + 4 * j;
    const __m256i delta = _mm256_set1_epi8(load_as<int16_t>(high_words(b) + 2 * j) < 0 ? -1 : 1);
    return _mm256_add_epi8(four_of(reference::codebooks.iq1, [index](int i) { return index[i]; }), delta);
  }
};

struct RowIQ1_M {
  using Block = BlockIQ1_M;
  using Prepared = RowIndices<32>;
  static constexpr int kBlocks = 8, kHalves = 2, kLargest = 9;

  static HEARTH_INLINE __m256 scales(const Block& b, int half) {
    const auto words = load_as<uint64_t>(bytes_at(b, offsetof(Block, scales)));
    const auto d = static_cast<half_t>((words >> 12 & 0xf) | (words >> 24 & 0xf0) | (words >> 36 & 0xf00) |
                                       (words >> 48 & 0xf000));
    const __m256i dwords = _mm256_cvtepu16_epi32(_mm_set1_epi64x(static_cast<int64_t>(words)));
    const __m256i twice = _mm256_permutevar8x32_epi32(dwords, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    const __m256i shift = _mm256_add_epi32(_mm256_setr_epi32(0, 6, 0, 6, 0, 6, 0, 6), _mm256_set1_epi32(3 * half));
    return scales_of<4>(_mm256_and_si256(_mm256_srlv_epi32(twice, shift), _mm256_set1_epi32(7)), d);
  }
  static HEARTH_INLINE void prepare(Prepared& p, const Block& b) {
    const __m256i spread = _mm256_setr_epi32(static_cast<int32_t>(0x80008000u), static_cast<int32_t>(0x80018001u),
                                             static_cast<int32_t>(0x80028002u), static_cast<int32_t>(0x80038003u),
                                             static_cast<int32_t>(0x80048004u), static_cast<int32_t>(0x80058005u),
                                             static_cast<int32_t>(0x80068006u), static_cast<int32_t>(0x80078007u));
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const __m256i words = _mm256_shuffle_epi8(_mm256_set1_epi64x(load_as<int64_t>(b.qh + 8 * i)), spread);
      p.set(i, b.qs, shifted(words, _mm256_set1_epi32(0x00100100), 0x700));
    }
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& p, int j) {
    const uint16_t* index = p.index + 4 * j;
    // A byte of qh for 16 elements; -1 where its bit 3 (the first eight) or 7 is set, else 1.
    const __m256i which = _mm256_setr_epi32(0, 0, 0, 0, 0x01010101, 0x01010101, 0x01010101, 0x01010101);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi16(load_as<int16_t>(b.qh + 2 * j)), which);
    const __m256i bit = _mm256_setr_epi64x(0x0808080808080808, static_cast<int64_t>(0x8080808080808080u),
                                           0x0808080808080808, static_cast<int64_t>(0x8080808080808080u));
    const __m256i delta = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit), _mm256_set1_epi8(1));
    return _mm256_add_epi8(four_of(reference::codebooks.iq1, [index](int i) { return index[i]; }), delta);
  }
};

// --- types: few values ----------------------------------------------------------------------------------------------

struct RowQ1_0 {
  using Block = BlockQ1_0;
  using Prepared = NothingPrepared;
  static constexpr int kBlocks = 4, kHalves = 1, kLargest = 1;

  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) { return splat_half(b.d); }
  static HEARTH_INLINE void prepare(Prepared& /*none*/, const Block& /*b*/) {}
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& /*none*/, int j) {
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
    const __m256i set = _mm256_and_si256(spread_bytes(load_as<uint32_t>(b.qs + 4 * j)), bit);
    return _mm256_or_si256(_mm256_cmpeq_epi8(set, _mm256_setzero_si256()), _mm256_set1_epi8(1));
  }
};

struct RowQ2_0 {
  using Block = BlockQ2_0;
  using Prepared = NothingPrepared;
  static constexpr int kBlocks = 2, kHalves = 1, kLargest = 2;

  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) { return splat_half(b.d); }
  static HEARTH_INLINE void prepare(Prepared& /*none*/, const Block& /*b*/) {}
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& /*none*/, int j) {
    const __m128i bytes = _mm_loadl_epi64(static_cast<const __m128i*>(static_cast<const void*>(b.qs + 8 * j)));
    const __m128i four = _mm_set1_epi8(15);
    const __m128i nibbles =
        _mm_unpacklo_epi8(_mm_and_si128(bytes, four), _mm_and_si128(_mm_srli_epi16(bytes, 4), four));
    const __m128i low = _mm_setr_epi8(-1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2);
    const __m128i high = _mm_setr_epi8(-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2);
    const __m128i even = _mm_shuffle_epi8(low, nibbles), odd = _mm_shuffle_epi8(high, nibbles);
    return _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
  }
};

struct RowTQ1_0 {
  using Block = BlockTQ1_0;
  using Prepared = NothingPrepared;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 1;

  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) { return splat_half(b.d); }
  static HEARTH_INLINE void prepare(Prepared& /*none*/, const Block& /*b*/) {}

  /// The bytes that hold block j, each as often as digits of it are there.
  static HEARTH_INLINE __m256i bytes_of(const Block& b, int j) {
    if (j < 5) return load_32(b.qs);
    const __m128i last = load_16(b.qs + 32);
    return _mm256_set_m128i(j < 7 ? last : _mm_set1_epi32(load_as<int32_t>(b.qh)), last);
  }
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& /*none*/, int j) {
    /// What moves the digit of each four bytes to the top.
    alignas(32) static constexpr uint32_t kPower[8][8] = {
        {1, 1, 1, 1, 1, 1, 1, 1},         {3, 3, 3, 3, 3, 3, 3, 3},         {9, 9, 9, 9, 9, 9, 9, 9},
        {27, 27, 27, 27, 27, 27, 27, 27}, {81, 81, 81, 81, 81, 81, 81, 81}, {1, 1, 1, 1, 3, 3, 3, 3},
        {9, 9, 9, 9, 27, 27, 27, 27},     {81, 81, 81, 81, 1, 3, 9, 27}};
    const __m256i bytes = bytes_of(b, j), power = load_32(kPower[j]);
    const __m256i powers = _mm256_or_si256(power, _mm256_slli_epi32(power, 16));
    const __m256i low = _mm256_set1_epi16(255);
    const __m256i moved = _mm256_or_si256(_mm256_and_si256(_mm256_mullo_epi16(bytes, powers), low),
                                          _mm256_mullo_epi16(_mm256_andnot_si256(low, bytes), powers));
    // 3 * byte / 256 is 1 from 86 on and 2 from 171 on.
    const __m256i one = _mm256_cmpeq_epi8(_mm256_max_epu8(moved, _mm256_set1_epi8(86)), moved);
    const __m256i two = _mm256_cmpeq_epi8(_mm256_max_epu8(moved, _mm256_set1_epi8(static_cast<char>(171))), moved);
    return _mm256_sub_epi8(_mm256_sub_epi8(_mm256_set1_epi8(-1), one), two);
  }
};

struct RowTQ2_0 {
  using Block = BlockTQ2_0;
  using Prepared = NothingPrepared;
  static constexpr int kBlocks = 8, kHalves = 1, kLargest = 2;

  static HEARTH_INLINE __m256 scales(const Block& b, int /*half*/) { return splat_half(b.d); }
  static HEARTH_INLINE void prepare(Prepared& /*none*/, const Block& /*b*/) {}
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& /*none*/, int j) {
    const __m256i moved = _mm256_srli_epi16(load_32(b.qs + 32 * (j / 4)), 2 * (j % 4));
    return _mm256_sub_epi8(_mm256_and_si256(moved, _mm256_set1_epi8(3)), _mm256_set1_epi8(1));
  }
};

struct RowNVFP4 {
  using Block = BlockNVFP4;
  using Prepared = NothingPrepared;
  static constexpr int kBlocks = 2, kHalves = 2, kLargest = 12;

  /// Half of each unsigned E4M3 number. The same bits in a half-precision number are worth 2^-8 of it.
  static HEARTH_INLINE __m256 scales(const Block& b, int half) {
    const __m128i bytes = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(load_as<int32_t>(b.d)));
    const __m128i nan = _mm_cmpeq_epi16(bytes, _mm_set1_epi16(0x7f));
    const __m128i bits = _mm_and_si128(_mm_slli_epi16(bytes, 7), _mm_set1_epi16(0x3f80));
    const __m256 all = _mm256_mul_ps(_mm256_cvtph_ps(_mm_andnot_si128(nan, bits)), _mm256_set1_ps(128.0f));
    return half == 0 ? _mm256_shuffle_ps(all, all, 0x88) : _mm256_shuffle_ps(all, all, 0xdd);
  }
  static HEARTH_INLINE void prepare(Prepared& /*none*/, const Block& /*b*/) {}
  static HEARTH_INLINE __m256i codes(const Block& b, const Prepared& /*none*/, int j) {
    const __m128i bytes = load_16(b.qs + 16 * j), four = _mm_set1_epi8(15);
    const __m128i low = _mm_and_si128(bytes, four), high = _mm_and_si128(_mm_srli_epi16(bytes, 4), four);
    const __m256i table = _mm256_broadcastsi128_si256(load_16(reference::kFP4Doubled));
    return _mm256_shuffle_epi8(table, _mm256_set_m128i(_mm_unpackhi_epi64(low, high), _mm_unpacklo_epi64(low, high)));
  }
};

}  // namespace

}  // namespace hearth::kernels
