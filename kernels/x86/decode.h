// What decoders of 256 bits are made of: access to 8 rows of weights at once, moving of bits, and the way in which they
// hand over what they find to a writer: a panel, or sums of products. For every instruction set with such registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul_kernels.h"
#include "kernels/x86/ahead.h"
#include "kernels/x86/bytes.h"

namespace hearth::kernels {
namespace {

/// What a type's codes are, and how values are made of them.
enum class Codes : int32_t {
  kSigned,        ///< -128..127, float scales
  kWords,         ///< the same as words: a step is [16 rows][bytes 0 and 2], then [16 rows][bytes 1 and 3]
  kPlain,         ///< 0..15, float scales
  kBiased,        ///< code + 16, float scales; of 16 columns: code + 32, as init16 has it
  kPlainSuper,    ///< 0..15; integer scales and minimums of 32; d and dmin for 256 columns
  kPlain16Super,  ///< 0..31, of which 16 products fit; the same otherwise
  kBiased16Super  ///< code + 32; integer scales of 16; d for 256 columns
};
constexpr bool is_biased(Codes codes) {
  return codes == Codes::kBiased || codes == Codes::kBiased16Super;
}
constexpr bool is_signed(Codes codes) {
  return codes == Codes::kSigned || codes == Codes::kWords;
}
constexpr bool is_super(Codes codes) {
  return codes >= Codes::kPlainSuper;
}

/// Superblocks with minimums.
constexpr bool has_super_mins(Codes codes) {
  return codes == Codes::kPlainSuper || codes == Codes::kPlain16Super;
}
/// Superblocks whose products are added in 16 bits for 16 columns instead of 32.
constexpr bool sums_by_16(Codes codes) {
  return codes == Codes::kPlain16Super || codes == Codes::kBiased16Super;
}

HEARTH_INLINE __m256i splat_dword(const void* p) {
  int32_t value;
  __builtin_memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}
/// The same value; keeps the compiler from turning chains of additions into trees, for which registers do not suffice.
HEARTH_INLINE __m256i in_order(__m256i value) {
  __asm__("" : "+x"(value));
  return value;
}
/// Words of bytes 0 and 2 of each dword, and of bytes 1 and 3.
HEARTH_INLINE __m256i even_words(__m256i bytes) {
  return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8);
}
HEARTH_INLINE __m256i odd_words(__m256i bytes) {
  return _mm256_srai_epi16(bytes, 8);
}

/// First bytes of 8 rows, one to a lane; a row that the tile lacks is replaced by its last one.
struct Rows : Ahead {
  const uint8_t* rows[8];

  HEARTH_INLINE Rows(const WeightTile& tile, int64_t first) {
    const auto* data = static_cast<const uint8_t*>(tile.data);
    const int64_t last = tile.n_rows - 1;
#pragma GCC unroll 8
    for (int64_t r = 0; r < 8; ++r) rows[r] = data + (first + r < last ? first + r : last) * tile.row_bytes;
  }
  HEARTH_INLINE const uint8_t* row(int r) const {
    return rows[r];
  }
};

/// Prefetches what comes next while byte `at` of rows [first, first + kCount) is read (see Ahead).
template <int kLines, int kCount = 8>
HEARTH_INLINE void prefetch(const Rows& rows, int64_t at, int first = 0) {
  rows.prefetch<kLines, kCount>(at, first);
}

/// Rows at equal distances.
struct EvenRows {
  const uint8_t* low;   ///< row 0
  const uint8_t* high;  ///< row 4
  int64_t stride;

  HEARTH_INLINE EvenRows(const uint8_t* first, int64_t distance)
      : low(first), high(first + 4 * distance), stride(distance) {}
  HEARTH_INLINE const uint8_t* row(int r) const { return r < 4 ? low + r * stride : high + (r - 4) * stride; }
  HEARTH_INLINE void advance(int64_t bytes) {
    low += bytes;
    high += bytes;
  }
};

template <int kLines, int kCount = 8>
HEARTH_INLINE void prefetch(const EvenRows& /*rows*/, int64_t /*at*/, int /*first*/ = 0) {}

/// 16 bytes at `at` of rows i and i + 4.
template <typename AnyRows>
HEARTH_INLINE __m256i load_2_rows(const AnyRows& rows, int i, int64_t at) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load_16(rows.row(i) + at)), load_16(rows.row(i + 4) + at), 1);
}

/// 4x4 transposition of dwords within each 128-bit lane.
HEARTH_INLINE void transpose_4(__m256i out[4], const __m256i v[4]) {
  const __m256i ab_low = _mm256_unpacklo_epi32(v[0], v[1]), ab_high = _mm256_unpackhi_epi32(v[0], v[1]);
  const __m256i cd_low = _mm256_unpacklo_epi32(v[2], v[3]), cd_high = _mm256_unpackhi_epi32(v[2], v[3]);
  out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

/// 16 bytes at `at` of 8 rows: out[j] lane r = dword j of row r.
template <typename AnyRows>
HEARTH_INLINE void transpose_16_bytes(__m256i* out, const AnyRows& rows, int64_t at) {
  const __m256i v[4] = {load_2_rows(rows, 0, at), load_2_rows(rows, 1, at), load_2_rows(rows, 2, at),
                        load_2_rows(rows, 3, at)};
  transpose_4(out, v);
}

/// The dword at `at` of each row; 16 bytes there belong to the row.
template <typename AnyRows>
HEARTH_INLINE __m256i first_dwords(const AnyRows& rows, int64_t at) {
  const __m256i ab = _mm256_unpacklo_epi32(load_2_rows(rows, 0, at), load_2_rows(rows, 1, at));
  const __m256i cd = _mm256_unpacklo_epi32(load_2_rows(rows, 2, at), load_2_rows(rows, 3, at));
  return _mm256_unpacklo_epi64(ab, cd);
}
/// The dword that ends at `end`; 16 bytes before it belong to the row.
template <typename AnyRows>
HEARTH_INLINE __m256i last_dwords(const AnyRows& rows, int64_t end) {
  const __m256i ab = _mm256_unpackhi_epi32(load_2_rows(rows, 0, end - 16), load_2_rows(rows, 1, end - 16));
  const __m256i cd = _mm256_unpackhi_epi32(load_2_rows(rows, 2, end - 16), load_2_rows(rows, 3, end - 16));
  return _mm256_unpackhi_epi64(ab, cd);
}

/// The low 16 bits of each dword as a half-precision number, and the high ones.
HEARTH_INLINE __m256 halves_of(__m256i small_dwords) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(small_dwords, small_dwords), 0xd8);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}
HEARTH_INLINE __m256 low_halves(__m256i dwords) {
  return halves_of(_mm256_and_si256(dwords, _mm256_set1_epi32(0xffff)));
}
HEARTH_INLINE __m256 high_halves(__m256i dwords) {
  return halves_of(_mm256_srli_epi32(dwords, 16));
}

/// kBits bits at bit kShift of every byte, moved to bit kTo; the others zero.
template <int kShift, int kTo, int kBits>
HEARTH_INLINE __m256i bits_at(__m256i v) {
  const __m256i moved = (kShift > kTo)   ? _mm256_srli_epi16(v, kShift - kTo)
                        : (kShift < kTo) ? _mm256_slli_epi16(v, kTo - kShift)
                                         : v;
  return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(((1 << kBits) - 1) << kTo)));
}

/// Bytes kByte and kByte + 1 of every dword as words.
template <int kByte>
HEARTH_INLINE __m256i pair_of_bytes(__m256i dwords) {
  constexpr auto pick = [](int byte) {
    return static_cast<int>(static_cast<unsigned>(byte) * 0x00010001u + 0x80018000u);
  };
  constexpr int k0 = pick(kByte), k1 = pick(kByte + 4), k2 = pick(kByte + 8), k3 = pick(kByte + 12);
  return _mm256_shuffle_epi8(dwords, _mm256_setr_epi32(k0, k1, k2, k3, k0, k1, k2, k3));
}
/// Byte kByte of every dword as a pair of equal words, shifted left by eight bits when kHigh.
template <int kByte, bool kHigh = false>
HEARTH_INLINE __m256i pair_of_byte(__m256i dwords) {
  constexpr auto pick = [](int byte) {
    return static_cast<int>(kHigh ? static_cast<unsigned>(byte) * 0x01000100u + 0x00800080u
                                  : static_cast<unsigned>(byte) * 0x00010001u + 0x80008000u);
  };
  constexpr int k0 = pick(kByte), k1 = pick(kByte + 4), k2 = pick(kByte + 8), k3 = pick(kByte + 12);
  return _mm256_shuffle_epi8(dwords, _mm256_setr_epi32(k0, k1, k2, k3, k0, k1, k2, k3));
}
/// The signed byte as a pair of equal words.
template <int kByte>
HEARTH_INLINE __m256i pair_of_signed_byte(__m256i dwords) {
  return _mm256_srai_epi16(pair_of_byte<kByte, true>(dwords), 8);
}

/// Bit 4 in the bytes that have all bits of `wanted`.
HEARTH_INLINE __m256i bit_4_where_set(__m256i bytes, __m256i wanted) {
  return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, wanted), wanted), _mm256_set1_epi8(16));
}

// --- writers: what decoders hand 8 rows of up to eight blocks to
// ------------------------------------------------------ First scales and minimums of all blocks (superblocks: d and
// dmin, then integer scales and minimums), then codes in eight parts, one after the other: bytes that the writer has
// arranged, changed by nothing that crosses bytes. Parts 0..3 of a block are its first 16 columns in the writer's own
// arrangement, parts 4..7 the others. Then done<n>() goes on to the blocks behind these n, which are block 0 and up
// again.

/// 16 bytes at `at` of 8 rows, as a writer arranges them.
template <typename Writer, typename AnyRows>
HEARTH_INLINE void take_16(__m256i out[4], const AnyRows& rows, int64_t at) {
  const __m256i v[4] = {load_2_rows(rows, 0, at), load_2_rows(rows, 1, at), load_2_rows(rows, 2, at),
                        load_2_rows(rows, 3, at)};
  Writer::arrange(out, v);
}
/// The same of 32 bytes.
template <typename Writer, typename AnyRows>
HEARTH_INLINE void take_32(__m256i out[8], const AnyRows& rows, int64_t at) {
  take_16<Writer>(out, rows, at);
  take_16<Writer>(out + 4, rows, at + 16);
}
/// The same of 32 bytes of each row.
template <typename Writer>
HEARTH_INLINE void arrange_32(__m256i out[8], const __m256i row[8]) {
  __m256i v[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2x128_si256(row[i], row[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(row[i], row[i + 4], 0x31);
  }
  Writer::arrange(out, v);
  Writer::arrange(out + 4, v + 4);
}

/// Part s holds columns 4 s .. +3 of row r in lane r.
struct RowsInLanes {
  /// 16 bytes of rows i and i + 4, the one in the low 128-bit lane, the other in the high one.
  static HEARTH_INLINE void arrange(__m256i out[4], const __m256i v[4]) { transpose_4(out, v); }
  /// Bytes kPart of a block, 16 where the row's dword has the bit of the column's number, else 0.
  template <int kPart>
  static HEARTH_INLINE __m256i take_bits(__m256i dwords) {
    constexpr int kByte = kPart / 2 * 0x01010101;
    const __m256i copy = _mm256_setr_epi32(kByte, kByte + 0x04040404, kByte + 0x08080808, kByte + 0x0c0c0c0c, kByte,
                                           kByte + 0x04040404, kByte + 0x08080808, kByte + 0x0c0c0c0c);
    const __m256i wanted = _mm256_set1_epi32(kPart % 2 == 0 ? 0x08040201 : static_cast<int32_t>(0x80402010u));
    return bit_4_where_set(_mm256_shuffle_epi8(dwords, copy), wanted);
  }
};

/// Part s holds 16 columns of row s % 4 in its low 128-bit lane and of that row + 4 in its high one.
struct RowsInHalves {
  static HEARTH_INLINE void arrange(__m256i out[4], const __m256i v[4]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = v[i];
  }
  template <int kPart>
  static HEARTH_INLINE __m256i take_bits(__m256i dwords) {
    constexpr int64_t kLow = (kPart % 4 * 4 + kPart / 4 * 2) * int64_t{0x0101010101010101};
    constexpr int64_t kHigh = kLow + int64_t{0x0101010101010101};
    const __m256i copy = _mm256_setr_epi64x(kLow, kHigh, kLow, kHigh);
    const auto wanted = static_cast<int64_t>(0x8040201008040201u);
    return bit_4_where_set(_mm256_shuffle_epi8(dwords, copy), _mm256_set1_epi64x(wanted));
  }
};

// A Decoder has: kCodes; kHalves float scales in each 32 columns (1; superblocks: 1), kMin, whether it gives minimums
// of that kind; kBlocks of 32 in its block of kBytes; kDotCols, most columns that writers of dot_columns should take
// with it (dot_tile.h); and run(writer, rows, at), which decodes one block at byte `at` of 8 rows and prefetches
// meanwhile.

/// Decodes n columns of a tile, its 32 rows as four groups of 8: writer_of(g) makes the writer of group g.
template <typename Decoder, typename WriterOf>
HEARTH_INLINE void decode_groups(const WeightTile& tile, int64_t n, const WriterOf& writer_of) {
  for (int64_t g = 0; g < 4; ++g) {
    Rows rows(tile, 8 * g);
    rows.take_share(tile, 8 * g, 8, n / (32 * Decoder::kBlocks), Decoder::kBytes);
    auto writer = writer_of(g);
    for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b) Decoder::run(writer, rows, b * Decoder::kBytes);
  }
}

}  // namespace
}  // namespace hearth::kernels
