// What processors with BF16 dot products add to AVX-512: BF16 weights times activations rounded to BF16, two elements
// of a row to a lane. Panel [n / 2][2 groups][16 rows] of pairs.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"
#include "kernels/kernel_table.h"
#include "kernels/overlays.h"

namespace hearth::kernels {
namespace avx512_bf16 {
namespace {

constexpr int64_t kMostPairs = kPanelBlocks * kActBlock / 2;

inline __attribute__((always_inline)) __m512bh as_pairs(__m512i v) {
  __m512bh pairs;
  __builtin_memcpy(&pairs, &v, sizeof pairs);
  return pairs;
}

/// Rounds n values, n even, to pairs.
inline __attribute__((always_inline)) void round_to_pairs(int32_t* pairs, const float* x, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
    __builtin_memcpy(pairs + i / 2, &rounded, 32);
  }
  if (i == n) return;
  const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1 << (n - i)) - 1), x + i));
  __builtin_memcpy(pairs + i / 2, &rounded, static_cast<size_t>(n - i) * 2);
}

template <int kCols>
inline __attribute__((always_inline)) void multiply_cols(float* acc, const char* panel,
                                                         const int32_t (*pairs)[kMostPairs], int64_t n, bool first) {
  __m512 total[2][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    total[0][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows);
    total[1][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows + 16);
  }
  for (int64_t k = 0; k < n / 2; ++k, panel += 128) {
    const __m512bh w0 = as_pairs(_mm512_load_si512(panel)), w1 = as_pairs(_mm512_load_si512(panel + 64));
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512bh value = as_pairs(_mm512_set1_epi32(pairs[c][k]));
      total[0][c] = _mm512_dpbf16_ps(total[0][c], w0, value);
      total[1][c] = _mm512_dpbf16_ps(total[1][c], w1, value);
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    _mm512_storeu_ps(acc + c * kPanelRows, total[0][c]);
    _mm512_storeu_ps(acc + c * kPanelRows + 16, total[1][c]);
  }
}

void multiply_pairs(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first) {
  alignas(64) int32_t pairs[kGroupCols][kMostPairs];
  for (int c = 0; c < n_cols; ++c) round_to_pairs(pairs[c], x[c], n);
  const char* p = static_cast<const char*>(panel);
  switch (n_cols) {
    case 1: return multiply_cols<1>(acc, p, pairs, n, first);
    case 2: return multiply_cols<2>(acc, p, pairs, n, first);
    case 3: return multiply_cols<3>(acc, p, pairs, n, first);
    case 4: return multiply_cols<4>(acc, p, pairs, n, first);
    case 5: return multiply_cols<5>(acc, p, pairs, n, first);
    default: return multiply_cols<6>(acc, p, pairs, n, first);
  }
}

/// Pairs lie in a row as floats do.
void decode_pairs(void* panel, const WeightTile& tile, int64_t n) {
  avx512::decode_F32(panel, tile, n / 2);
}

}  // namespace
}  // namespace avx512_bf16

void overlay_matmul_avx512_bf16(KernelTable& table) {
  table.matmul.decode_bf16_pairs = avx512_bf16::decode_pairs;
  table.matmul.multiply_bf16_pairs = avx512_bf16::multiply_pairs;
}

}  // namespace hearth::kernels
