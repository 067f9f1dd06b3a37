// Activations quantized to 8 bits per block of 32, sixteen blocks at a time: lane or dword i belongs to block i.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr int kPiece = 16;  // blocks at once

struct Max {
  static inline __attribute__((always_inline)) __m512 of(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
};
struct Sum {
  static inline __attribute__((always_inline)) __m512 of(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
};

/// Lane i = maximum or sum of the 16 lanes of v[i].
template <typename Op>
inline __attribute__((always_inline)) __m512 reduce_each(const __m512 v[16]) {
  __m512 quarter[4];  // 128-bit lane L, element j: that of the four elements L of v[4 i + j]
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512* w = v + 4 * i;
    const __m512 ab = Op::of(_mm512_unpacklo_ps(w[0], w[1]), _mm512_unpackhi_ps(w[0], w[1]));
    const __m512 cd = Op::of(_mm512_unpacklo_ps(w[2], w[3]), _mm512_unpackhi_ps(w[2], w[3]));
    quarter[i] = Op::of(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  }
  const __m512 low =
      Op::of(_mm512_shuffle_f32x4(quarter[0], quarter[1], 0x88), _mm512_shuffle_f32x4(quarter[0], quarter[1], 0xdd));
  const __m512 high =
      Op::of(_mm512_shuffle_f32x4(quarter[2], quarter[3], 0x88), _mm512_shuffle_f32x4(quarter[2], quarter[3], 0xdd));
  return Op::of(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
}

/// Sums over the four 128-bit lanes of four vectors: lane i = total of v[i].
inline __attribute__((always_inline)) __m512i lane_totals(const __m512i v[4]) {
  const __m512i low = _mm512_add_epi32(_mm512_shuffle_i32x4(v[0], v[1], 0x88), _mm512_shuffle_i32x4(v[0], v[1], 0xdd));
  const __m512i high = _mm512_add_epi32(_mm512_shuffle_i32x4(v[2], v[3], 0x88), _mm512_shuffle_i32x4(v[2], v[3], 0xdd));
  return _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, 0x88), _mm512_shuffle_i32x4(low, high, 0xdd));
}

/// Element i of a vector to p[i * n_cols], i < n.
template <typename Vector, typename T>
inline __attribute__((always_inline)) void spread(T* p, int64_t n_cols, Vector v, int n) {
  alignas(64) T values[16];
  __builtin_memcpy(values, &v, 64);
  for (int i = 0; i < n; ++i) p[i * n_cols] = values[i];
}

/// The sums of two superblocks from block 8 super on as words in pairs, and what a unit of them is worth; n blocks.
inline __attribute__((always_inline)) void store_superblocks(const ActGroup& group, int c, int64_t super, __m512 sum,
                                                             int n) {
  const int64_t n_cols = group.n_cols;
  const __m512 counting = _mm512_maskz_mov_ps(static_cast<__mmask16>((1u << n) - 1u), sum);
  __m512 largest = _mm512_abs_ps(counting);
  largest = _mm512_max_ps(largest, _mm512_shuffle_f32x4(largest, largest, 0xb1));
  largest = _mm512_max_ps(largest, _mm512_shuffle_ps(largest, largest, 0x4e));
  largest = _mm512_max_ps(largest, _mm512_shuffle_ps(largest, largest, 0xb1));  // of each superblock in its eight lanes
  const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
  const __m512 inverse = _mm512_maskz_div_ps(counts, _mm512_set1_ps(32767.0f), largest);
  const __m512i words = _mm512_cvtps_epi32(_mm512_mul_ps(counting, inverse));
  // Both words of each 64 bits in the lower 32 of them.
  const __m512i pairs = _mm512_mask_blend_epi16(0xaaaaaaaau, words, _mm512_srli_epi64(words, 16));
  const __m256i dwords = _mm512_cvtepi64_epi32(pairs);
  alignas(32) int32_t values[8];
  _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(values)), dwords);
  alignas(64) float units[16];
  _mm512_store_ps(units, _mm512_mul_ps(largest, _mm512_set1_ps(1.0f / 32767.0f)));
  for (int i = 0; 8 * i < n; ++i) {
    for (int j = 0; j < 4; ++j) group.sum256[((super + i) * 4 + j) * n_cols + c] = values[4 * i + j];
    group.d256[(super + i) * n_cols + c] = units[8 * i];
  }
}

/// The planes of n <= 16 blocks from their scales and the sums of their halves: sum[0] of blocks 0..7, sum[1] of 8..15.
inline __attribute__((always_inline)) void store_planes(const ActGroup& group, int c, int64_t b, __m512 d,
                                                        const __m512i sum[2], int n) {
  const int64_t n_cols = group.n_cols;
  const int64_t at = b * n_cols + c;
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m512i magic = _mm512_set1_epi32(kMagicBits);
  const __m512i whole =
      _mm512_add_epi32(_mm512_permutex2var_epi32(sum[0], even, sum[1]), _mm512_permutex2var_epi32(sum[0], odd, sum[1]));
  static_assert(kCodeOffset == 128);
  const __m512 sum32 = _mm512_mul_ps(d, _mm512_cvtepi32_ps(whole));
  spread(group.d + at, n_cols, d, n);
  spread(group.sum32 + at, n_cols, sum32, n);
  store_superblocks(group, c, b / 8, sum32, n);
  spread(group.init32 + at, n_cols, _mm512_sub_epi32(magic, _mm512_slli_epi32(whole, 7)), n);
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const int left = 2 * n - 16 * i;
    if (left <= 0) break;
    const int count = (left < 16) ? left : 16;
    const int64_t place = (2 * b + 16 * i) * n_cols + c;
    const __m512 scale = _mm512_permutexvar_ps(_mm512_add_epi32(twice, _mm512_set1_epi32(8 * i)), d);
    spread(group.sum16 + place, n_cols, _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sum[i])), count);
    spread(group.init16 + place, n_cols, _mm512_sub_epi32(magic, _mm512_slli_epi32(sum[i], 7)), count);
  }
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error. A lane is a
/// trial; the upper lanes take the second half of the values.
inline __attribute__((always_inline)) float best_trial(const float* x, float per_unit) {
  const __m256 trials = _mm256_mul_ps(_mm256_load_ps(kActTrialSteps), _mm256_set1_ps(per_unit));
  const __m512 scale = _mm512_insertf32x8(_mm512_castps256_ps512(trials), trials, 1);
  __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const __m512 low = _mm512_castps256_ps512(_mm256_broadcast_ss(x + i));
    const __m512 values = _mm512_insertf32x8(low, _mm256_broadcast_ss(x + i + 16), 1);
    const __m512 rest = _mm512_reduce_ps(_mm512_mul_ps(values, scale), 0);  // v - round(v)
    sum = _mm512_fmadd_ps(rest, rest, sum);
  }
  const __m256 both = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
  const __m256 error = _mm256_fmadd_ps(both, _mm256_load_ps(kActTrialArea), _mm256_load_ps(kActTrialBias));
  __m256 least = _mm256_min_ps(error, _mm256_permute2f128_ps(error, error, 1));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1));
  const unsigned equal = _mm256_cmp_ps_mask(error, least, _CMP_EQ_OQ);
  return kActTrialSteps[__builtin_ctz(equal | 0x80u)];  // not-a-number: the last
}

/// Quantizes n <= 16 blocks of column c, from block b of the group on.
inline __attribute__((always_inline)) void pack_piece(const ActGroup& group, int c, const float* x, int64_t b, int n) {
  const int64_t n_cols = group.n_cols;
  const __m512 sign = _mm512_set1_ps(-0.0f);
  __m512 magnitude[kPiece];
  for (int i = 0; i < kPiece; ++i) {
    const float* block = x + 32 * ((i < n) ? i : 0);
    magnitude[i] = _mm512_max_ps(_mm512_andnot_ps(sign, _mm512_loadu_ps(block)),
                                 _mm512_andnot_ps(sign, _mm512_loadu_ps(block + 16)));
  }
  const __m512 largest = reduce_each<Max>(magnitude);
  // Below 1e-30 the quotient could overflow: such a block counts as zero.
  const __mmask16 counts = _mm512_cmp_ps_mask(largest, _mm512_set1_ps(1e-30f), _CMP_GE_OQ);
  alignas(64) float inverse[kPiece];
  _mm512_store_ps(inverse, _mm512_maskz_div_ps(counts, _mm512_set1_ps(1.0f), largest));
  for (int i = 0; i < n; ++i) inverse[i] *= best_trial(x + 32 * i, inverse[i]);

  __m512 products[kPiece];  // x * code and code * code, to be summed over each block
  __m512 squares[kPiece];
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i fours[kPiece / 2];  // dword j of lane L: sum of four codes; j: block 2 i low half, high half, 2 i + 1 ...
  int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
  for (int i = 0; i < kPiece / 2; ++i) {
    __m512i words[2];
    for (int j = 0; j < 2; ++j) {
      const int index = 2 * i + j;
      const float* block = x + 32 * ((index < n) ? index : 0);
      const __m512 factor = _mm512_set1_ps(inverse[index]);
      const __m512 x0 = _mm512_loadu_ps(block);
      const __m512 x1 = _mm512_loadu_ps(block + 16);
      const __m512i c0 = _mm512_cvtps_epi32(_mm512_mul_ps(x0, factor));
      const __m512i c1 = _mm512_cvtps_epi32(_mm512_mul_ps(x1, factor));
      words[j] = _mm512_packs_epi32(c0, c1);
      products[index] = _mm512_fmadd_ps(x1, _mm512_cvtepi32_ps(c1), _mm512_mul_ps(x0, _mm512_cvtepi32_ps(c0)));
      squares[index] = _mm512_cvtepi32_ps(_mm512_madd_epi16(words[j], words[j]));
    }
    const __m512i codes = _mm512_packs_epi16(words[0], words[1]);
    fours[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, codes);
    // Lane L holds steps L and 4 + L of both blocks.
    alignas(64) int32_t dwords[16];
    _mm512_store_si512(dwords, codes);
    for (int j = 0; j < 2 && 2 * i + j < n; ++j) {
      int8_t* step = q + int64_t{2 * i + j} * 32 * n_cols;
#pragma GCC unroll 4
      for (int lane = 0; lane < 4; ++lane) {
        __builtin_memcpy(step + lane * 4 * n_cols, &dwords[4 * lane + 2 * j], 4);
        __builtin_memcpy(step + (lane + 4) * 4 * n_cols, &dwords[4 * lane + 2 * j + 1], 4);
      }
    }
  }
  // Least squares: d q is nearest to x.
  const __m512 d = _mm512_maskz_div_ps(counts, reduce_each<Sum>(products), reduce_each<Sum>(squares));
  const __m512i sums[2] = {lane_totals(fours), lane_totals(fours + 4)};
  store_planes(group, c, b, d, sums, n);
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_blocks = k / kActBlock;
  for (int64_t b = 0; b < n_blocks; b += kPiece) {
    const int64_t left = n_blocks - b;
    pack_piece(group, c, x + b * kActBlock, b, static_cast<int>((left < kPiece) ? left : kPiece));
  }
}

}  // namespace hearth::kernels::avx512
