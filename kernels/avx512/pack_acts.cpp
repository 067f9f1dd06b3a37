// Activations quantized to 8 bits per block of 32. A lane is a block: sixteen of them at once, of one column or
// several.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr int kPiece = 16;  // blocks at once

/// The blocks of a piece.
struct Piece {
  const float* x[kPiece];  ///< those from n on are the first again
  int64_t at[kPiece];      ///< block * n_cols + column
  int64_t before[kPiece];  ///< block * n_cols
  int n = 0;

  inline __attribute__((always_inline)) void add(const ActGroup& group, int64_t b, int c, const float* column) {
    x[n] = column + b * kActBlock;
    before[n] = b * group.n_cols;
    at[n++] = b * group.n_cols + c;
  }
};

/// v[e] = element i + e of each block, e < 4.
inline __attribute__((always_inline)) void four_of_each(__m512 v[4], const float* const* x, int i) {
  __m512 w[4];  // 128-bit lane L: block 4 L + j
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m256 low =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x[j] + i)), _mm_loadu_ps(x[4 + j] + i), 1);
    const __m256 high =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x[8 + j] + i)), _mm_loadu_ps(x[12 + j] + i), 1);
    w[j] = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
  const __m512 a = _mm512_unpacklo_ps(w[0], w[1]), b = _mm512_unpackhi_ps(w[0], w[1]);
  const __m512 c = _mm512_unpacklo_ps(w[2], w[3]), d = _mm512_unpackhi_ps(w[2], w[3]);
  v[0] = _mm512_shuffle_ps(a, c, 0x44);
  v[1] = _mm512_shuffle_ps(a, c, 0xee);
  v[2] = _mm512_shuffle_ps(b, d, 0x44);
  v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/// The number of steps to the largest magnitude that codes the 32 values of each block with the smallest squared error.
inline __attribute__((always_inline)) __m512 best_trials(const float* x, __m512 per_unit) {
  __m512 scale[kActTrials], error[kActTrials];
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) {
    scale[g] = _mm512_mul_ps(per_unit, _mm512_set1_ps(kActTrialSteps[g]));
    error[g] = _mm512_setzero_ps();
  }
  for (int i = 0; i < kActBlock; ++i) {
    const __m512 values = _mm512_load_ps(x + i * kPiece);
#pragma GCC unroll 8
    for (int g = 0; g < kActTrials; ++g) {
      const __m512 rest = _mm512_reduce_ps(_mm512_mul_ps(values, scale[g]), 0);  // v - round(v)
      error[g] = _mm512_fmadd_ps(rest, rest, error[g]);
    }
  }
  __m512 least = _mm512_set1_ps(__builtin_inff()), steps = _mm512_set1_ps(kActTrialSteps[0]);
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) {
    const __m512 weighed =
        _mm512_fmadd_ps(error[g], _mm512_set1_ps(kActTrialArea[g]), _mm512_set1_ps(kActTrialBias[g]));
    const __mmask16 less = _mm512_cmp_ps_mask(weighed, least, _CMP_LT_OQ);
    least = _mm512_mask_mov_ps(least, less, weighed);
    steps = _mm512_mask_mov_ps(steps, less, _mm512_set1_ps(kActTrialSteps[g]));
  }
  return steps;
}

/// Four codes of each block, in turn, as bytes of its lane.
inline __attribute__((always_inline)) __m512i bytes_of(const __m512i codes[4]) {
  const __m512i bytes =
      _mm512_packs_epi16(_mm512_packs_epi32(codes[0], codes[1]), _mm512_packs_epi32(codes[2], codes[3]));
  return _mm512_shuffle_epi8(
      bytes, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)));
}

/// What is stored of a piece.
struct Planes {
  alignas(64) float d[kPiece], sum32[kPiece], sum16[2][kPiece];
  alignas(64) int32_t init32[kPiece], init16[2][kPiece], codes[8][kPiece];

  inline __attribute__((always_inline)) void set(__m512 scale, const __m512i sum[2]) {
    static_assert(kCodeOffset == 128);
    const __m512i magic = _mm512_set1_epi32(kMagicBits);
    const __m512i whole = _mm512_add_epi32(sum[0], sum[1]);
    _mm512_store_ps(d, scale);
    _mm512_store_ps(sum32, _mm512_mul_ps(scale, _mm512_cvtepi32_ps(whole)));
    _mm512_store_si512(init32, _mm512_sub_epi32(magic, _mm512_slli_epi32(whole, 7)));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      _mm512_store_ps(sum16[half], _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sum[half])));
      _mm512_store_si512(init16[half], _mm512_sub_epi32(magic, _mm512_slli_epi32(sum[half], 7)));
    }
  }
  inline __attribute__((always_inline)) void put(const ActGroup& to, const Piece& piece) const {
    const ActGroup group = to;  // codes are stored as chars, which could be part of it
    const int64_t n_cols = group.n_cols;
    for (int i = 0; i < piece.n; ++i) {
      const int64_t at = piece.at[i], half_at = at + piece.before[i];
      int8_t* q = group.q + (at + 7 * piece.before[i]) * 4;
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) __builtin_memcpy(q + s * n_cols * 4, &codes[s][i], 4);
      group.d[at] = d[i];
      group.sum32[at] = sum32[i];
      group.init32[at] = init32[i];
      group.sum16[half_at] = sum16[0][i];
      group.sum16[half_at + n_cols] = sum16[1][i];
      group.init16[half_at] = init16[0][i];
      group.init16[half_at + n_cols] = init16[1][i];
    }
  }
};

__attribute__((noinline)) void pack_piece(const ActGroup& group, Piece& piece) {
  for (int i = piece.n; i < kPiece; ++i) piece.x[i] = piece.x[0];
  alignas(64) float turned[kActBlock * kPiece];
  __m512 largest = _mm512_setzero_ps();
  for (int i = 0; i < kActBlock; i += 4) {
    __m512 v[4];
    four_of_each(v, piece.x, i);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      largest = _mm512_max_ps(_mm512_abs_ps(v[j]), largest);
      _mm512_store_ps(turned + (i + j) * kPiece, v[j]);
    }
  }
  // Below 1e-30 the quotient could overflow: such a block counts as zero.
  const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
  const __m512 inverse = _mm512_maskz_div_ps(counts, _mm512_set1_ps(1.0f), largest);
  const __m512 factor = _mm512_mul_ps(inverse, best_trials(turned, inverse));

  __m512 products[2] = {_mm512_setzero_ps(),
                        _mm512_setzero_ps()};                      // sums of x * code, of even elements and of odd ones
  __m512 squares[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};  // of code * code
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  Planes planes;
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    for (int s = 4 * half; s < 4 * half + 4; ++s) {
      __m512i codes[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m512 values = _mm512_load_ps(turned + (4 * s + i) * kPiece);
        codes[i] = _mm512_cvtps_epi32(_mm512_mul_ps(values, factor));
        const __m512 code = _mm512_cvtepi32_ps(codes[i]);
        products[i % 2] = _mm512_fmadd_ps(values, code, products[i % 2]);
        squares[i % 2] = _mm512_fmadd_ps(code, code, squares[i % 2]);
      }
      const __m512i bytes = bytes_of(codes);
      sums[half] = _mm512_dpbusd_epi32(sums[half], _mm512_set1_epi8(1), bytes);
      _mm512_store_si512(planes.codes[s], bytes);
    }
  }
  // Least squares: d q is nearest to x.
  const __m512 all_products = _mm512_add_ps(products[0], products[1]);
  planes.set(_mm512_maskz_div_ps(counts, all_products, _mm512_add_ps(squares[0], squares[1])), sums);
  planes.put(group, piece);
  piece.n = 0;
}

/// The sums of superblocks of nb blocks as words in pairs, and what a unit of them is worth; a lane is a column.
void pack_superblocks(const ActGroup& group, int first, int n, int64_t nb) {
  const int64_t n_cols = group.n_cols;
  const auto columns = static_cast<__mmask16>((1u << n) - 1u);
  for (int64_t super = 0; 8 * super < nb; ++super) {
    __m512 sum[8], largest = _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const int64_t b = 8 * super + i;
      sum[i] = _mm512_maskz_loadu_ps((b < nb) ? columns : __mmask16{0}, group.sum32 + b * n_cols + first);
      largest = _mm512_max_ps(_mm512_abs_ps(sum[i]), largest);
    }
    const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
    const __m512 inverse = _mm512_maskz_div_ps(counts, _mm512_set1_ps(32767.0f), largest);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512i even = _mm512_cvtps_epi32(_mm512_mul_ps(sum[2 * i], inverse));
      const __m512i odd = _mm512_cvtps_epi32(_mm512_mul_ps(sum[2 * i + 1], inverse));
      const __m512i pairs = _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16));
      _mm512_mask_storeu_ps(group.sum256 + (super * 4 + i) * n_cols + first, columns, _mm512_castsi512_ps(pairs));
    }
    _mm512_mask_storeu_ps(group.d256 + super * n_cols + first, columns,
                          _mm512_mul_ps(largest, _mm512_set1_ps(1.0f / 32767.0f)));
  }
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t nb = k / kActBlock;
  Piece piece;
  for (int64_t b = 0; b < nb; ++b) {
    piece.add(group, b, c, x);
    if (piece.n == kPiece || b + 1 == nb) pack_piece(group, piece);
  }
  pack_superblocks(group, c, 1, nb);
}

void pack_group(const ActGroup& group, const float* const* x, int64_t k) {
  const int64_t nb = k / kActBlock;
  Piece piece;
  for (int64_t b = 0; b < nb; ++b) {
    for (int c = 0; c < group.n_cols; ++c) {
      piece.add(group, b, c, x[c]);
      if (piece.n == kPiece || (b + 1 == nb && c + 1 == group.n_cols)) pack_piece(group, piece);
    }
  }
  pack_superblocks(group, 0, group.n_cols, nb);
}

}  // namespace hearth::kernels::avx512
