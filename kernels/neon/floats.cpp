// Float weights: panels of floats [column][32 rows], their products, and rows at the memory's speed.
#include "kernels/neon/simd.h"
//
#include "kernels/neon/matmul.h"
#include "kernels/simd/elements.h"

namespace hearth::kernels::neon {
namespace {

const uint8_t* row_of(const WeightTile& tile, int r) {
  return static_cast<const uint8_t*>(tile.data) + (r < tile.n_rows ? r : tile.n_rows - 1) * tile.row_bytes;
}

template <typename Elements>
const typename Elements::Stored* elements_of(const uint8_t* row) {
  return static_cast<const typename Elements::Stored*>(static_cast<const void*>(row));
}

/// 4x4 transposition in place.
inline void transpose_4(Floats v[4]) {
  const Floats ab_low = vzip1q_f32(v[0], v[2]), ab_high = vzip2q_f32(v[0], v[2]);
  const Floats cd_low = vzip1q_f32(v[1], v[3]), cd_high = vzip2q_f32(v[1], v[3]);
  v[0] = vzip1q_f32(ab_low, cd_low);
  v[1] = vzip2q_f32(ab_low, cd_low);
  v[2] = vzip1q_f32(ab_high, cd_high);
  v[3] = vzip2q_f32(ab_high, cd_high);
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
      transpose_4(v);
      for (int64_t i = 0; i < count; ++i) store(out + (k + i) * kPanelRows + g, v[i]);
    });
  }
}

// Of rows at once: in 32 registers 24 sums, 4 vectors of weights and an element of x.
constexpr int kVectors = kVectorRegisters / 8;

/// 16 rows times kCols columns.
template <int kCols>
inline void multiply_cols(float* acc, const float* panel, const float* const* x, int64_t n, bool first) {
  Floats total[kVectors][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 4
    for (int g = 0; g < kVectors; ++g) total[g][c] = first ? zero() : load(acc + c * kPanelRows + g * kLanes);
  }
  for (int64_t k = 0; k < n; ++k) {
    Floats w[kVectors];
#pragma GCC unroll 4
    for (int g = 0; g < kVectors; ++g) w[g] = load(panel + k * kPanelRows + g * kLanes);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const Floats value = splat(x[c][k]);
#pragma GCC unroll 4
      for (int g = 0; g < kVectors; ++g) total[g][c] = fma(w[g], value, total[g][c]);
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 4
    for (int g = 0; g < kVectors; ++g) store(acc + c * kPanelRows + g * kLanes, total[g][c]);
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
  for (int rows = 0; rows < kPanelRows; rows += kVectors * kLanes) {
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

}  // namespace hearth::kernels::neon
