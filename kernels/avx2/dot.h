// Products of a few columns without a panel: what a decoder hands out is multiplied at once, 8 rows at a time, the same
// integers and the same float operations as in the panel's loops (matmul.cpp). One column and several have a writer
// each.
#pragma once

#include "kernels/avx2/panel.h"
#include "kernels/x86/dot_tile.h"

namespace hearth::kernels::avx2 {
namespace {

/// What both writers share: everything but the products of codes.
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
  /// Codes times activations in sums of neighbors: of two in 16 bits, or, signed codes, of four in 32; and their
  /// addition.
  static HEARTH_INLINE __m256i multiply(__m256i codes, __m256i x) {
    if constexpr (!kSigned) return _mm256_maddubs_epi16(codes, x);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
  using Add = Adder<kSigned ? 32 : 16>;
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

/// One column. Not the codes are moved to the lanes of their rows, but sums of products, of which there are fewer.
template <typename Decoder>
struct ColumnWriter : DotSums<Decoder, 1>, RowsInHalves {
  using Base = DotSums<Decoder, 1>;
  using Base::kCodes;
  __m256i part[8][Base::kInits][4];  ///< sums of products of rows i and i + 4, in 16 bits, or in 32 of signed codes

  HEARTH_INLINE void code(int block, int index, __m256i bytes) {
    const int half = index / 4;
    const auto* acts = static_cast<const uint8_t*>(static_cast<const void*>(this->q)) + block * 32 + half * 16;
    const __m256i x = _mm256_broadcastsi128_si256(load_16(acts));
    __m256i& sum = part[block][Base::kInits == 2 ? half : 0][index % 4];
    const __m256i product = Base::multiply(bytes, x);
    sum = (Base::kInits == 2 || half == 0) ? product : Base::Add::of(sum, product);
    if (index == 7) add_block(block);
  }
  /// The sum of part i of a block, lanes are rows.
  HEARTH_INLINE __m256i row_sum(int block, int i) const {
    const __m256i sum = row_sums<typename Base::Add>(part[block][i]);
    if (!is_biased(kCodes)) return sum;
    return _mm256_add_epi16(sum, splat_dword(this->init + block * Base::kInits + i));
  }
  HEARTH_INLINE void add_block(int block) {
    if constexpr (kCodes == Codes::kBiased16Super) {
      this->dot[block][0][0] = this->scale_halves(block, row_sum(block, 0), row_sum(block, 1));
    } else if constexpr (sums_by_16(kCodes)) {
      __m256i sum[2];
      half_row_sums<typename Base::Add>(sum, part[block][0]);
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
struct ColumnsWriter : DotSums<Decoder, kCols>, RowsInLanes {
  using Base = DotSums<Decoder, kCols>;
  using Base::kCodes;
  static constexpr int kParts = (sums_by_16(kCodes) || Base::kHalves == 2) ? 2 : 1;
  __m256i part[8][kParts][kCols];  ///< sums of products, in 16 bits, or in 32 of signed codes

  HEARTH_INLINE void code(int block, int index, __m256i bytes) {
    const int i = kParts == 2 ? index / 4 : 0;
    const bool first = index % (8 / kParts) == 0;
#pragma GCC unroll 3
    for (int c = 0; c < kCols; ++c) {
      const __m256i product = Base::multiply(bytes, splat_dword(this->q + ((block * 8 + index) * kCols + c) * 4));
      __m256i& sum = part[block][i][c];
      if (first && is_biased(kCodes)) sum = splat_dword(this->init + (block * kParts + i) * kCols + c);
      sum = (first && !is_biased(kCodes)) ? product : in_order(Base::Add::of(sum, product));
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

struct DotWriters {
  static constexpr int kMostCols = kDotCols;
  template <typename Decoder>
  using One = ColumnWriter<Decoder>;
  template <typename Decoder, int kCols>
  using Several = ColumnsWriter<Decoder, kCols>;
};

}  // namespace
}  // namespace hearth::kernels::avx2
