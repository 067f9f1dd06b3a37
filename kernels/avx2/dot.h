// Products of a few columns without a panel: what a decoder hands out is multiplied at once, 8 rows at a time, the same
// integers and the same float operations as in the panel's loops (matmul.cpp). One column and several have a sink each.
#pragma once

#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {
namespace {

/// What both sinks share: everything but the products of codes.
template <typename Decoder, int kCols>
struct DotSums {
  static constexpr Codes kCodes = Decoder::kCodes;
  static constexpr bool kSigned = kCodes == Codes::kSigned;
  static constexpr int kHalves = Decoder::kHalves;
  static constexpr int kFactors = kCodes == Codes::kBiased16Super ? 2 : 1;
  static constexpr int kInits = kHalves * kFactors;  ///< initial values of a block
  __m256 total[kCols];
  const int8_t* q;                 ///< codes of the columns from block 0 on
  const float* d;                  ///< scales
  const float* sums;               ///< sum32 or sum16
  const int32_t* init;             ///< init32 or init16
  const int32_t* sum256;           ///< of the superblock
  const float* d256;               ///< of the superblock
  __m256i dot[8][kHalves][kCols];  ///< of the blocks: scaled integers, lanes are rows
  __m256i factors[8][kFactors];
  __m256 scales[8][kHalves];
  __m256 mins[8][kHalves];
  __m256 d_super, dmin_super;
  __m256i min_dot[kCols];  ///< integer minimums times sums

  HEARTH_INLINE void begin(const ActGroup& x) {
    q = x.q;
    d = x.d;
    sums = (kHalves == 1) ? x.sum32 : x.sum16;
    init = (kInits == 1) ? x.init32 : x.init16;
    sum256 = x.sum256;
    d256 = x.d256;
  }
  HEARTH_INLINE void scale(int block, int half, __m256 value) { scales[block][half] = value; }
  HEARTH_INLINE void min(int block, int half, __m256 value) { mins[block][half] = value; }
  HEARTH_INLINE void super(__m256 value) { d_super = value; }
  HEARTH_INLINE void super_min(__m256 value) { dmin_super = value; }
  HEARTH_INLINE void factor(int block, int half, __m256i pairs) { factors[block][half] = pairs; }
  HEARTH_INLINE void min_pair(int pair, __m256i words) {
#pragma GCC unroll 3
    for (int c = 0; c < kCols; ++c) {
      const __m256i product = _mm256_madd_epi16(words, splat_dword(sum256 + pair * kCols + c));
      min_dot[c] = pair == 0 ? product : _mm256_add_epi32(min_dot[c], product);
    }
  }
  /// Codes times activations in sums of neighbours: of two in 16 bits, or, signed codes, of four in 32; and their
  /// addition.
  static HEARTH_INLINE __m256i multiply(__m256i codes, __m256i x) {
    if constexpr (!kSigned) return _mm256_maddubs_epi16(codes, x);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
  static HEARTH_INLINE __m256i add(__m256i a, __m256i b) {
    return kSigned ? _mm256_add_epi32(a, b) : _mm256_add_epi16(a, b);
  }
  /// The dot of a block from sums in 16 bits of its first columns and of the others.
  HEARTH_INLINE __m256i scale_halves(int block, __m256i low, __m256i high) const {
    return _mm256_add_epi32(_mm256_madd_epi16(low, factors[block][0]),
                            _mm256_madd_epi16(high, factors[block][kFactors - 1]));
  }
  /// The same from sums of all.
  HEARTH_INLINE __m256i scale_whole(int block, __m256i sum) const {
    return _mm256_madd_epi16(sum, is_super(kCodes) ? factors[block][0] : _mm256_set1_epi16(1));
  }
  /// Adds kBlocks blocks in their order and goes on to those behind them.
  template <int kBlocks>
  HEARTH_INLINE void done() {
#pragma GCC unroll 3
    for (int c = 0; c < kCols; ++c) {
      __m256 sum = _mm256_setzero_ps();
#pragma GCC unroll 8
      for (int block = 0; block < kBlocks; ++block) {
        const __m256 factor = _mm256_broadcast_ss(d + block * kCols + c);
#pragma GCC unroll 2
        for (int half = 0; half < kHalves; ++half) {
          const __m256 value = _mm256_cvtepi32_ps(dot[block][half][c]);
          if (is_super(kCodes)) {
            sum = _mm256_fmadd_ps(value, factor, sum);
            continue;
          }
          total[c] = _mm256_fmadd_ps(_mm256_mul_ps(value, scales[block][half]), factor, total[c]);
          if (Decoder::kMin) {
            const __m256 sum_of = _mm256_broadcast_ss(sums + (block * kHalves + half) * kCols + c);
            total[c] = _mm256_fnmadd_ps(mins[block][half], sum_of, total[c]);
          }
        }
      }
      if (has_super_mins(kCodes)) {
        const __m256 mins_of = _mm256_mul_ps(_mm256_cvtepi32_ps(min_dot[c]), _mm256_broadcast_ss(d256 + c));
        total[c] = _mm256_fnmadd_ps(mins_of, dmin_super, total[c]);
      }
      if (is_super(kCodes)) total[c] = _mm256_fmadd_ps(d_super, sum, total[c]);
    }
    q += kBlocks * kActBlock * kCols;
    d += kBlocks * kCols;
    sums += kBlocks * kHalves * kCols;
    init += kBlocks * kInits * kCols;
    sum256 += kBlocks / 2 * kCols;
    d256 += kBlocks / 8 * kCols;
  }
};

/// One column. Not the codes are moved to the lanes of their rows, but sums of products, of which there are fewer: part
/// s holds 16 columns of row s % 4 in its low 128-bit lane and of that row + 4 in its high one.
template <typename Decoder>
struct ColumnSink : DotSums<Decoder, 1> {
  using Base = DotSums<Decoder, 1>;
  using Base::kCodes;
  __m256i part[8][Base::kInits][4];  ///< sums of products of rows i and i + 4, in 16 bits, or in 32 of signed codes

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
  HEARTH_INLINE void code(int block, int index, __m256i bytes) {
    const int half = index / 4;
    const auto* acts = static_cast<const uint8_t*>(static_cast<const void*>(this->q)) + block * 32 + half * 16;
    const __m256i x = _mm256_broadcastsi128_si256(load_16(acts));
    __m256i& sum = part[block][Base::kInits == 2 ? half : 0][index % 4];
    const __m256i product = Base::multiply(bytes, x);
    sum = (Base::kInits == 2 || half == 0) ? product : Base::add(sum, product);
    if (index == 7) add_block(block);
  }
  /// Per 128-bit lane: the qwords of a added, then those of b. A blend replaces one of two shuffles, of which fewer can
  /// run in a cycle.
  static HEARTH_INLINE __m256i add_qwords(__m256i a, __m256i b) {
    return Base::add(_mm256_alignr_epi8(b, a, 8), _mm256_blend_epi32(a, b, 0xcc));
  }
  /// The sums of row r in dword r of two vectors, each with half of the columns.
  static HEARTH_INLINE void to_rows(__m256i out[2], const __m256i (&sums_of)[4]) {
    const __m256 ab = _mm256_castsi256_ps(add_qwords(sums_of[0], sums_of[1]));
    const __m256 cd = _mm256_castsi256_ps(add_qwords(sums_of[2], sums_of[3]));
    out[0] = _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0x88));
    out[1] = _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0xdd));
  }
  static HEARTH_INLINE __m256i to_rows(const __m256i (&sums_of)[4]) {
    __m256i halves[2];
    to_rows(halves, sums_of);
    return Base::add(halves[0], halves[1]);
  }
  /// The sum of part i of a block, lanes are rows.
  HEARTH_INLINE __m256i row_sum(int block, int i) const {
    const __m256i sum = to_rows(part[block][i]);
    if (!is_biased(kCodes)) return sum;
    return _mm256_add_epi16(sum, splat_dword(this->init + block * Base::kInits + i));
  }
  HEARTH_INLINE void add_block(int block) {
    if constexpr (kCodes == Codes::kBiased16Super) {
      this->dot[block][0][0] = this->scale_halves(block, row_sum(block, 0), row_sum(block, 1));
    } else if constexpr (sums_by_16(kCodes)) {
      __m256i sum[2];
      to_rows(sum, part[block][0]);
      this->dot[block][0][0] = this->scale_halves(block, sum[0], sum[1]);
    } else {
#pragma GCC unroll 2
      for (int half = 0; half < Base::kHalves; ++half) {
        const __m256i sum = row_sum(block, half);
        this->dot[block][half][0] = Base::kSigned ? sum : this->scale_whole(block, sum);
      }
    }
  }
};

/// Two or three columns: codes as a panel has them, kept in registers. Cycles for 8 rows and 32 columns of them, with a
/// panel and so: Q4_K 30 and 24 for two, 35 and 31 for three; Q8_0 52 and 43, 62 and 57. Four gain nothing, with
/// more sums in memory.
template <typename Decoder, int kCols>
struct ColumnsSink : DotSums<Decoder, kCols> {
  using Base = DotSums<Decoder, kCols>;
  using Base::kCodes;
  static constexpr int kParts = (sums_by_16(kCodes) || Base::kHalves == 2) ? 2 : 1;
  __m256i part[8][kParts][kCols];  ///< sums of products, in 16 bits, or in 32 of signed codes

  static HEARTH_INLINE void arrange(__m256i out[4], const __m256i v[4]) { PanelSink<kCodes>::arrange(out, v); }
  template <int kPart>
  static HEARTH_INLINE __m256i take_bits(__m256i dwords) {
    return PanelSink<kCodes>::template take_bits<kPart>(dwords);
  }
  HEARTH_INLINE void code(int block, int index, __m256i bytes) {
    const int i = kParts == 2 ? index / 4 : 0;
    const bool first = index % (8 / kParts) == 0;
#pragma GCC unroll 3
    for (int c = 0; c < kCols; ++c) {
      const __m256i product = Base::multiply(bytes, splat_dword(this->q + ((block * 8 + index) * kCols + c) * 4));
      __m256i& sum = part[block][i][c];
      if (first && is_biased(kCodes)) sum = splat_dword(this->init + (block * kParts + i) * kCols + c);
      sum = (first && !is_biased(kCodes)) ? product : in_order(Base::add(sum, product));
    }
    if (index == 7) add_block(block);
  }
  HEARTH_INLINE void add_block(int block) {
#pragma GCC unroll 3
    for (int c = 0; c < kCols; ++c) {
      if constexpr (sums_by_16(kCodes)) {
        this->dot[block][0][c] = this->scale_halves(block, part[block][0][c], part[block][1][c]);
      } else {
#pragma GCC unroll 2
        for (int half = 0; half < Base::kHalves; ++half) {
          const __m256i sum = part[block][half][c];
          this->dot[block][half][c] = Base::kSigned ? sum : this->scale_whole(block, sum);
        }
      }
    }
  }
};

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
template <typename Decoder, typename Sink, int kCols>
__attribute__((noinline)) void dot_rows(float* out, EvenRows rows, const uint8_t* ahead, const void* acts,
                                        int64_t stride, int64_t k) {
  constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;
  Sink sink;
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) sink.total[c] = _mm256_setzero_ps();
  const char* chunk = static_cast<const char*>(acts);
  for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
    sink.begin(act_group_at(const_cast<char*>(chunk), kChunk, kCols));
    const int64_t n = (left < kChunk) ? left : kChunk;
    for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b) {
      if (ahead != nullptr) {
        prefetch_far<8 * Decoder::kBytes>(ahead);
        ahead += 8 * Decoder::kBytes;
      }
      Decoder::run(sink, rows, 0);
      rows.advance(Decoder::kBytes);
    }
  }
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) _mm256_store_ps(out + c * 8, sink.total[c]);
}

/// What to prefetch when byte `offset` of a tile is used: bytes of it, of the next one, or nothing (nullptr).
HEARTH_INLINE const uint8_t* weights_ahead(const WeightTile& tile, int64_t offset) {
  const int64_t bytes = tile.n_rows * tile.row_bytes, wanted = kDotAhead + 8 * tile.row_bytes;
  const int64_t at = offset + ((wanted < bytes) ? wanted : bytes);
  if (at < bytes) return static_cast<const uint8_t*>(tile.data) + at;
  return (tile.ahead != nullptr) ? static_cast<const uint8_t*>(tile.ahead) + (at - bytes) : nullptr;
}

/// 8 rows times 1 to kDotCols columns.
template <typename Decoder>
HEARTH_INLINE void dot_8_rows(float* out, const EvenRows& rows, const uint8_t* ahead, const void* acts, int64_t stride,
                              int64_t k, int n_cols) {
  switch (n_cols) {
    case 1: return dot_rows<Decoder, ColumnSink<Decoder>, 1>(out, rows, ahead, acts, stride, k);
    case 2: return dot_rows<Decoder, ColumnsSink<Decoder, 2>, 2>(out, rows, ahead, acts, stride, k);
    default: return dot_rows<Decoder, ColumnsSink<Decoder, 3>, 3>(out, rows, ahead, acts, stride, k);
  }
}
static_assert(kDotCols == 3);

/// out[c * ldo + r] = row r of a tile times column c. 8 neighbouring rows at once, so that memory is read in its order.
template <typename Decoder>
HEARTH_INLINE void dot_tile(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride,
                            int64_t k, int n_cols) {
  const auto* data = static_cast<const uint8_t*>(tile.data);
  const int64_t lanes = (tile.n_rows < 8) ? 1 : 8;  // a single row fills all lanes
  for (int64_t i = 0; i < tile.n_rows; i += lanes) {
    const int64_t first = (i + lanes <= tile.n_rows) ? i : tile.n_rows - lanes;  // the last rows, some of them again
    const EvenRows rows(data + first * tile.row_bytes, (lanes == 1) ? 0 : tile.row_bytes);
    alignas(32) float total[kDotCols * 8];
    dot_8_rows<Decoder>(total, rows, weights_ahead(tile, i * tile.row_bytes), acts, stride, k, n_cols);
    for (int64_t c = 0; c < n_cols; ++c) {
      for (int64_t lane = 0; lane < lanes; ++lane) out[c * ldo + first + lane] = total[c * 8 + lane];
    }
  }
}

}  // namespace
}  // namespace hearth::kernels::avx2

/// Defines decode_<Name> and dot_columns_<Name> in namespace avx2.
#define HEARTH_DEFINE_KERNELS(Name, Decoder)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    decode_tile<Decoder>(panel, tile, n);                                                                    \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    dot_tile<Decoder>(out, ldo, tile, acts, stride, k, n_cols);                                              \
  }
