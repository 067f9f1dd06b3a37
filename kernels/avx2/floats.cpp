// Float weights: panels of floats [column][32 rows], their products, and rows at the memory's speed.
#include "kernels/avx2/simd.h"
//
#include "kernels/avx2/matmul.h"
#include "kernels/simd/elements.h"

namespace hearth::kernels::avx2 {
namespace {

const uint8_t* row_of(const WeightTile& tile, int r) {
  return static_cast<const uint8_t*>(tile.data) + (r < tile.n_rows ? r : tile.n_rows - 1) * tile.row_bytes;
}

template <typename Elements>
const typename Elements::Stored* elements_of(const uint8_t* row) {
  return reinterpret_cast<const typename Elements::Stored*>(row);
}

/// 8x8 transposition in place.
inline void transpose_8(Floats v[8]) {
  Floats t[8], u[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    v[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

template <typename Elements>
inline void decode_floats(void* panel, const WeightTile& tile, int64_t n) {
  auto* out = static_cast<float*>(panel);
  for (int g = 0; g < kPanelRows; g += kLanes) {
    const uint8_t* rows[kLanes];
    for (int r = 0; r < kLanes; ++r) rows[r] = row_of(tile, g + r);
    for_each_vector(n, [&](int64_t k, int64_t count) {
      Floats v[kLanes];
      for (int r = 0; r < kLanes; ++r) v[r] = load_elements_up_to<Elements>(elements_of<Elements>(rows[r]) + k, count);
      transpose_8(v);
      for (int64_t i = 0; i < count; ++i) store(out + (k + i) * kPanelRows + g, v[i]);
    });
  }
}

/// 16 rows times kCols columns.
template <int kCols>
inline void multiply_cols(float* acc, const float* panel, const float* const* x, int64_t n, bool first) {
  Floats total[2][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    total[0][c] = first ? zero() : load(acc + c * kPanelRows);
    total[1][c] = first ? zero() : load(acc + c * kPanelRows + kLanes);
  }
  for (int64_t k = 0; k < n; ++k) {
    const Floats w0 = load(panel + k * kPanelRows), w1 = load(panel + k * kPanelRows + kLanes);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const Floats value = splat(x[c][k]);
      total[0][c] = fma(w0, value, total[0][c]);
      total[1][c] = fma(w1, value, total[1][c]);
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    store(acc + c * kPanelRows, total[0][c]);
    store(acc + c * kPanelRows + kLanes, total[1][c]);
  }
}

/// One row times x: four sums, in an order of its own.
template <typename Elements>
inline void dot_rows(float* out, const WeightTile& tile, const float* x, int64_t n) {
  constexpr int64_t kAhead = 1024 / sizeof(typename Elements::Stored);
  for (int r = 0; r < tile.n_rows; ++r) {
    const auto* row = elements_of<Elements>(row_of(tile, r));
    out[r] = sum_row(n, [=](int64_t i, int64_t m, Floats sum) {
      __builtin_prefetch(row + i + kAhead);
      return fma(load_elements_up_to<Elements>(row + i, m), load_up_to(x + i, m), sum);
    });
  }
}

}  // namespace

void decode_F32(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<F32Elements>(panel, tile, n);
}
void decode_F16(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<F16Elements>(panel, tile, n);
}
void decode_BF16(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats<BF16Elements>(panel, tile, n);
}
void dot_rows_F32(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<F32Elements>(out, tile, x, n);
}
void dot_rows_F16(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<F16Elements>(out, tile, x, n);
}
void dot_rows_BF16(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_rows<BF16Elements>(out, tile, x, n);
}

void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first) {
  for (int rows = 0; rows < kPanelRows; rows += 2 * kLanes) {
    const float* p = static_cast<const float*>(panel) + rows;
    float* out = acc + rows;
    switch (n_cols) {
      case 1: multiply_cols<1>(out, p, x, n, first); break;
      case 2: multiply_cols<2>(out, p, x, n, first); break;
      case 3: multiply_cols<3>(out, p, x, n, first); break;
      case 4: multiply_cols<4>(out, p, x, n, first); break;
      case 5: multiply_cols<5>(out, p, x, n, first); break;
      default: multiply_cols<6>(out, p, x, n, first); break;
    }
  }
}

}  // namespace hearth::kernels::avx2
