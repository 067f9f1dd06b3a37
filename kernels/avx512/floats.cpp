// Panels and products of the float types F32, F16 and BF16: panel [n][2 groups][16 rows], activations stay floats.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

// Loaders of 16 elements as floats; `mask` selects those that exist, the others are neither read nor non-zero.
struct LoadF32 {
  static constexpr int kBytes = 4;
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p) { return _mm512_loadu_ps(p); }
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p, __mmask16 mask) {
    return _mm512_maskz_loadu_ps(mask, p);
  }
};
struct LoadF16 {
  static constexpr int kBytes = 2;
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(p))));
  }
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, p));
  }
};
struct LoadBF16 {
  static constexpr int kBytes = 2;
  static inline __attribute__((always_inline)) __m512 widen(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
  }
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p) {
    return widen(_mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(p))));
  }
  static inline __attribute__((always_inline)) __m512 load(const uint8_t* p, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, p));
  }
};

inline __attribute__((always_inline)) __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>((n >= 16) ? 0xffff : (1 << n) - 1);
}

template <typename Load>
inline __attribute__((always_inline)) void decode_floats(void* panel, const WeightTile& tile, int64_t n) {
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, 16 * g, 1);
    for (int64_t k = 0; k < n; k += 16) {
      const int64_t count = (n - k < 16) ? n - k : 16;
      const __mmask16 mask = first_lanes(count);
      __m512i v[16];
#pragma GCC unroll 16
      for (int r = 0; r < 16; ++r) v[r] = _mm512_castps_si512(Load::load(rows.row[r] + k * Load::kBytes, mask));
      __m512i columns[16];
      transpose_16(columns, v);
      char* out = static_cast<char*>(panel) + k * 128 + g * 64;
      if (count == 16) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) _mm512_store_si512(out + i * 128, columns[i]);
      } else {
        for (int i = 0; i < count; ++i) _mm512_store_si512(out + i * 128, columns[i]);
      }
    }
  }
}

template <int kCols>
inline __attribute__((always_inline)) void multiply_cols(float* acc, const char* panel, const float* const* columns,
                                                         int64_t n, bool first) {
  __m512 total[2][kCols];
  const float* x[kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    x[c] = columns[c];
    total[0][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows);
    total[1][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows + 16);
  }
  for (int64_t k = 0; k < n; ++k, panel += 128) {
    const __m512 w0 = _mm512_load_ps(panel);
    const __m512 w1 = _mm512_load_ps(panel + 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512 value = _mm512_set1_ps(x[c][k]);
      total[0][c] = _mm512_fmadd_ps(w0, value, total[0][c]);
      total[1][c] = _mm512_fmadd_ps(w1, value, total[1][c]);
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    _mm512_storeu_ps(acc + c * kPanelRows, total[0][c]);
    _mm512_storeu_ps(acc + c * kPanelRows + 16, total[1][c]);
  }
}

/// Dot product of one row with x. Rows follow each other in memory, so that reading one at a time is one stream.
template <typename Load>
inline __attribute__((always_inline)) float dot_row(const uint8_t* data, const float* x, int64_t n) {
  constexpr int64_t kAhead = 4096;  // bytes prefetched before use, into the rows that follow
  constexpr int64_t kBytes = Load::kBytes;
  __m512 sum[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) sum[i] = _mm512_setzero_ps();
  int64_t k = 0;
  for (; k + 64 <= n; k += 64) {
    const uint8_t* p = data + k * kBytes;
#pragma GCC unroll 4
    for (int64_t line = 0; line < kBytes; ++line) _mm_prefetch(p + kAhead + 64 * line, _MM_HINT_T0);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      sum[i] = _mm512_fmadd_ps(Load::load(p + 16 * i * kBytes), _mm512_loadu_ps(x + k + 16 * i), sum[i]);
    }
  }
  for (; k < n; k += 16) {
    const __mmask16 mask = first_lanes(n - k);
    sum[0] = _mm512_fmadd_ps(Load::load(data + k * kBytes, mask), _mm512_maskz_loadu_ps(mask, x + k), sum[0]);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

template <typename Load>
inline __attribute__((always_inline)) void dot_rows(float* out, const WeightTile& tile, const float* x, int64_t n) {
  const auto* data = static_cast<const uint8_t*>(tile.data);
  for (int r = 0; r < tile.n_rows; ++r) out[r] = dot_row<Load>(data + r * tile.row_bytes, x, n);
}

}  // namespace

void decode_F32(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<LoadF32>(panel, tile, n);
}
void decode_F16(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<LoadF16>(panel, tile, n);
}
void decode_BF16(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<LoadBF16>(panel, tile, n);
}
void dot_rows_F32(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<LoadF32>(out, tile, x, n);
}
void dot_rows_F16(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<LoadF16>(out, tile, x, n);
}
void dot_rows_BF16(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<LoadBF16>(out, tile, x, n);
}

void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first) {
  const char* p = static_cast<const char*>(panel);
  switch (n_cols) {
    case 1: return multiply_cols<1>(acc, p, x, n, first);
    case 2: return multiply_cols<2>(acc, p, x, n, first);
    case 3: return multiply_cols<3>(acc, p, x, n, first);
    case 4: return multiply_cols<4>(acc, p, x, n, first);
    case 5: return multiply_cols<5>(acc, p, x, n, first);
    default: return multiply_cols<6>(acc, p, x, n, first);
  }
}

}  // namespace hearth::kernels::avx512
