// Products of a few columns without a panel: the way through the weights. What is done with them is up to the writers
// of the instruction set.
#pragma once

#include "kernels/x86/decode.h"

namespace hearth::kernels {
namespace {

// --- one column (RowsInHalves): from products to sums of rows --------------------------------------------------------

/// Addition of lanes of kBits.
template <int kBits>
struct Adder {
  static HEARTH_INLINE __m256i of(__m256i a, __m256i b) {
    return kBits == 32 ? _mm256_add_epi32(a, b) : _mm256_add_epi16(a, b);
  }
};

/// Per 128-bit lane: the qwords of a added, then those of b. A blend replaces one of two shuffles, of which fewer can
/// run in a cycle.
template <typename Add>
HEARTH_INLINE __m256i add_qwords(__m256i a, __m256i b) {
  return Add::of(_mm256_alignr_epi8(b, a, 8), _mm256_blend_epi32(a, b, 0xcc));
}
/// Sums of rows i and i + 4 in vector i: those of row r in dword r of two vectors, each with half of the columns.
template <typename Add>
HEARTH_INLINE void half_row_sums(__m256i out[2], const __m256i (&sums_of)[4]) {
  const __m256 ab = _mm256_castsi256_ps(add_qwords<Add>(sums_of[0], sums_of[1]));
  const __m256 cd = _mm256_castsi256_ps(add_qwords<Add>(sums_of[2], sums_of[3]));
  out[0] = _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0x88));
  out[1] = _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0xdd));
}
template <typename Add>
HEARTH_INLINE __m256i row_sums(const __m256i (&sums_of)[4]) {
  __m256i halves[2];
  half_row_sums<Add>(halves, sums_of);
  return Add::of(halves[0], halves[1]);
}

// --- the way through the weights ------------------------------------------------------------------------------------

/// How far before its use dot_tile asks for weights, beyond the 8 rows in work, in bytes: the second-level cache holds
/// them until then. Two cores of a Zen 4, GB/s, 8 rows of 1680 bytes (Q6_K) and 1152 (Q4_K): 24 and 31 at 10 to 15 KiB,
/// 31 and 31 at 32, 31 and 28 at 80. Rows far apart, left to hardware prefetchers: 12 and 24. Prefetching into the
/// first-level cache instead: Q4_K 12 to 15. Reading alone reaches 32 to 35.
constexpr int64_t kDotAhead = 32 << 10;

/// Prefetches kBytes from p on.
template <int64_t kBytes>
HEARTH_INLINE void prefetch_far(const uint8_t* p) {
#pragma GCC unroll 32
  for (int64_t i = 0; i < kBytes; i += 64)
    _mm_prefetch(static_cast<const char*>(static_cast<const void*>(p + i)), _MM_HINT_T1);
}

/// out[c * 8 + r] = row r of 8 rows times column c of k elements; the columns are packed as groups of kPanelBlocks
/// blocks, `stride` bytes apart. What lies at `ahead`, as many bytes as the rows have, is prefetched unless that is
/// nullptr.
template <typename Decoder, typename Writer, int kCols>
__attribute__((noinline)) void dot_rows(float* out, EvenRows rows, const uint8_t* ahead, const void* acts,
                                        int64_t stride, int64_t k) {
  constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;
  Writer writer;
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) writer.total[c] = _mm256_setzero_ps();
  const char* chunk = static_cast<const char*>(acts);
  for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
    writer.begin(act_group_at(const_cast<char*>(chunk), kChunk, kCols));
    const int64_t n = (left < kChunk) ? left : kChunk;
    for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b) {
      if (ahead != nullptr) {
        prefetch_far<8 * Decoder::kBytes>(ahead);
        ahead += 8 * Decoder::kBytes;
      }
      Decoder::run(writer, rows, 0);
      rows.advance(Decoder::kBytes);
    }
  }
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) _mm256_store_ps(out + c * 8, writer.total[c]);
}

/// What to prefetch when byte `offset` of a tile is used: bytes of it, of the next one, or nothing (nullptr).
HEARTH_INLINE const uint8_t* weights_ahead(const WeightTile& tile, int64_t offset) {
  const int64_t bytes = tile.n_rows * tile.row_bytes, wanted = kDotAhead + 8 * tile.row_bytes;
  const int64_t at = offset + ((wanted < bytes) ? wanted : bytes);
  if (at < bytes) return static_cast<const uint8_t*>(tile.data) + at;
  return (tile.ahead != nullptr) ? static_cast<const uint8_t*>(tile.ahead) + (at - bytes) : nullptr;
}

/// Writers has kMostCols, One<Decoder>, and Several<Decoder, kCols> for more columns. A decoder that takes longer than
/// multiplying gains little from these, and wants none (kDotCols).
template <typename Writers, typename Decoder>
constexpr int most_cols() {
  return Writers::kMostCols < Decoder::kDotCols ? Writers::kMostCols : Decoder::kDotCols;
}

/// 8 rows times 1 to most_cols() columns.
template <typename Writers, typename Decoder>
HEARTH_INLINE void dot_8_rows(float* out, const EvenRows& rows, const uint8_t* ahead, const void* acts, int64_t stride,
                              int64_t k, int n_cols) {
  static_assert(kDotCols == 3);
  if constexpr (most_cols<Writers, Decoder>() > 1) {
    using Two = typename Writers::template Several<Decoder, 2>;
    using Three = typename Writers::template Several<Decoder, 3>;
    if (n_cols == 2) return dot_rows<Decoder, Two, 2>(out, rows, ahead, acts, stride, k);
    if (n_cols == 3) return dot_rows<Decoder, Three, 3>(out, rows, ahead, acts, stride, k);
  }
  dot_rows<Decoder, typename Writers::template One<Decoder>, 1>(out, rows, ahead, acts, stride, k);
}

/// out[c * ldo + r] = row r of a tile times column c. 8 neighboring rows at once, so that memory is read in its order.
template <typename Writers, typename Decoder>
HEARTH_INLINE void dot_tile(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride,
                            int64_t k, int n_cols) {
  const auto* data = static_cast<const uint8_t*>(tile.data);
  const int64_t lanes = (tile.n_rows < 8) ? 1 : 8;  // a single row fills all lanes
  for (int64_t i = 0; i < tile.n_rows; i += lanes) {
    const int64_t first = (i + lanes <= tile.n_rows) ? i : tile.n_rows - lanes;  // the last rows, some of them again
    const EvenRows rows(data + first * tile.row_bytes, (lanes == 1) ? 0 : tile.row_bytes);
    alignas(32) float total[kDotCols * 8];
    dot_8_rows<Writers, Decoder>(total, rows, weights_ahead(tile, i * tile.row_bytes), acts, stride, k, n_cols);
    for (int64_t c = 0; c < n_cols; ++c) {
      for (int64_t lane = 0; lane < lanes; ++lane) out[c * ldo + first + lane] = total[c * 8 + lane];
    }
  }
}

}  // namespace
}  // namespace hearth::kernels

/// Defines decode_<Name>, dot_columns_<Name> and dot_most_cols_<Name> in the namespace of a set that has decode_tile
/// and DotWriters.
#define HEARTH_DEFINE_KERNELS(Name, Decoder)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    decode_tile<Decoder>(panel, tile, n);                                                                    \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    dot_tile<DotWriters, Decoder>(out, ldo, tile, acts, stride, k, n_cols);                                  \
  }                                                                                                          \
  extern const int dot_most_cols_##Name = most_cols<DotWriters, Decoder>();
