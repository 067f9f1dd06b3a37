// Matrix products with rows in lanes: what reference/matmul.cpp computes, each sum in the same order, so that the
// results are the same to the bit.
#include "kernels/portable/matmul.h"

#include "kernels/portable/vectors.h"

namespace hearth::kernels::portable {
namespace {

/// A decoded tile: code [n][kPanelRows] as words, scale and min [n / 16][kPanelRows].
struct Panel {
  int16_t* code;
  float* scale;
  float* min;
  int32_t* run;  ///< so many products of a code and an activation fit one word together: 2, 4, 8 or 16
};

Panel panel_at(void* memory) {
  constexpr int64_t kElements = int64_t{kPanelRows} * kPanelBlocks * kActBlock;
  auto* code = static_cast<int16_t*>(memory);
  auto* scale = static_cast<float*>(static_cast<void*>(code + kElements));
  auto* min = scale + kElements / 16;
  return {code, scale, min, static_cast<int32_t*>(static_cast<void*>(min + kElements / 16))};
}
static_assert(kPanelRows * kPanelBlocks * kActBlock * (2 + 2 * 4 / 16.0) + 4 <= static_cast<double>(kPanelBytes));

/// Of codes up to `largest` in magnitude, with activations up to 127: 16 * 127 * 16 = 32512.
int32_t run_of(int largest) {
  return (largest <= 16) ? 16 : (largest <= 32) ? 8 : (largest <= 64) ? 4 : 2;
}

const char* row_of(const WeightTile& tile, int r) {
  const int row = (r < tile.n_rows) ? r : tile.n_rows - 1;
  return static_cast<const char*>(tile.data) + row * tile.row_bytes;
}

/// sum + scale * dot - min * sum_of_acts, in the order of the reference.
inline F32x4 add_sixteen(F32x4 sum, F32x4 scale, I32x4 dot, F32x4 min, float sum_of_acts) {
  sum += scale * convert<F32x4>(dot);
  return sum - min * sum_of_acts;
}

/// dot[0..kPanelRows) = sums of 16 codes of each row times those of column c, kRun products in words at a time.
template <int kRun>
inline void dot_sixteen(I32x8 dot[kPanelRows / 8], const int16_t* code, const int8_t* q, int64_t q_stride) {
  for (int g = 0; g < kPanelRows / 8; ++g) dot[g] = I32x8{};
  for (int i = 0; i < 16; i += kRun) {
    I16x8 words[kPanelRows / 8] = {};
#pragma GCC unroll 16
    for (int j = i; j < i + kRun; ++j) {
      const int16_t act = q[j / 4 * q_stride + j % 4];
#pragma GCC unroll 4
      for (int g = 0; g < kPanelRows / 8; ++g) words[g] += load_aligned<I16x8>(code + j * kPanelRows + 8 * g) * act;
    }
#pragma GCC unroll 4
    for (int g = 0; g < kPanelRows / 8; ++g) dot[g] += convert<I32x8>(words[g]);
  }
}

/// Column c of a group.
template <int kRun>
void multiply_column(float* acc, const Panel& panel, const ActGroup& x, int c, int64_t nb, bool first) {
  const int n_cols = x.n_cols;
  F32x4 sum[kPanelRows / 4] = {};
  for (int g = 0; g < kPanelRows / 4 && !first; ++g) sum[g] = load<F32x4>(acc + 4 * g);
  for (int64_t s = 0; s < 2 * nb; ++s) {
    I32x8 dot[kPanelRows / 8];
    dot_sixteen<kRun>(dot, panel.code + 16 * s * kPanelRows, x.q + (4 * s * n_cols + c) * 4, int64_t{4} * n_cols);
    const float* scale = panel.scale + s * kPanelRows;
    const float* min = panel.min + s * kPanelRows;
    const float d = x.d[s / 2 * n_cols + c], sum16 = x.sum16[s * n_cols + c];
#pragma GCC unroll 8
    for (int g = 0; g < kPanelRows / 4; ++g) {
      const I32x4 four = load<I32x4>(reinterpret_cast<const int32_t*>(dot) + 4 * g);
      sum[g] = add_sixteen(sum[g], load<F32x4>(scale + 4 * g) * d, four, load<F32x4>(min + 4 * g), sum16);
    }
  }
  for (int g = 0; g < kPanelRows / 4; ++g) store(acc + 4 * g, sum[g]);
}

/// Rows at once for a single column: their sums go to the lanes of one vector.
constexpr int kRows = 4;

/// Four rows' sums of 16 products.
inline I32x4 dot_of_rows(const int8_t (&code)[kRows][kUnit], int64_t at, const int8_t* q) {
  const I16x8 acts = load<I16x8>(q), even = even_bytes(acts), odd = odd_bytes(acts);
  I32x4 sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const I16x8 codes = load<I16x8>(code[r] + at);
    sums[r] = multiply_add_words(even_bytes(codes), even) + multiply_add_words(odd_bytes(codes), odd);
  }
  return sum_each(sums);
}

}  // namespace

void decode_codes(void* memory, const WeightTile& tile, int64_t n, Unpack unpack, int64_t block_size,
                  int64_t block_bytes) {
  const Panel panel = panel_at(memory);
  int8_t code[kUnit];
  float scale[kUnit / 16], min[kUnit / 16];
  int least = 0, most = 0;
  for (int r = 0; r < kPanelRows; ++r) {
    const char* data = row_of(tile, r);
    for (int64_t i = 0; i < n; i += kUnit) {
      const int64_t length = (n - i < kUnit) ? n - i : kUnit;
      unpack({code, scale, min}, data + i / block_size * block_bytes, length);
      for (int64_t j = 0; j < length; ++j) {
        least = (code[j] < least) ? code[j] : least;
        most = (code[j] > most) ? code[j] : most;
      }
      for (int64_t j = 0; j < length; ++j) panel.code[(i + j) * kPanelRows + r] = code[j];
      for (int64_t j = 0; j < length / 16; ++j) {
        panel.scale[(i / 16 + j) * kPanelRows + r] = scale[j];
        panel.min[(i / 16 + j) * kPanelRows + r] = min[j];
      }
    }
  }
  *panel.run = run_of((most > -least) ? most : -least);
}

void put_block(void* memory, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  const Panel panel = panel_at(memory);
  for (int64_t i = 0; i < kActBlock; ++i) panel.code[(block * kActBlock + i) * kPanelRows + row] = values.code[i];
  for (int64_t i = 0; i < 2; ++i) {
    panel.scale[(2 * block + i) * kPanelRows + row] = values.scale[i];
    panel.min[(2 * block + i) * kPanelRows + row] = values.min[i];
  }
  *panel.run = 2;  // right for codes of any size
}

void multiply_codes(float* acc, const void* memory, const ActGroup& x, int64_t nb, bool first) {
  const Panel panel = panel_at(const_cast<void*>(memory));
  for (int c = 0; c < x.n_cols; ++c, acc += kPanelRows) {
    switch (*panel.run) {
      case 16: multiply_column<16>(acc, panel, x, c, nb, first); break;
      case 8: multiply_column<8>(acc, panel, x, c, nb, first); break;
      case 4: multiply_column<4>(acc, panel, x, c, nb, first); break;
      default: multiply_column<2>(acc, panel, x, c, nb, first); break;
    }
  }
}

void dot_codes(float* out, const WeightTile& tile, const void* acts, int64_t stride, int64_t k, Unpack unpack,
               int64_t block_size, int64_t block_bytes) {
  constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;
  constexpr int64_t kFour = 4;  // sixteens whose factors are turned at once
  static_assert(kChunk % kUnit == 0 && kUnit / 16 % kFour == 0 && kRows == kFour);
  int8_t code[kRows][kUnit];
  float scale[kRows][kUnit / 16], min[kRows][kUnit / 16];
  for (int row = 0; row < tile.n_rows; row += kRows) {
    F32x4 sum = {};
    for (int64_t i = 0; i < k; i += kUnit) {
      const auto* chunk = static_cast<const char*>(acts) + i / kChunk * stride;
      const ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, 1);
      const int64_t at = i % kChunk, n = (k - i < kUnit) ? k - i : kUnit;
      for (int r = 0; r < kRows; ++r) {
        unpack({code[r], scale[r], min[r]}, row_of(tile, row + r) + i / block_size * block_bytes, n);
      }
      for (int64_t s = 0; s < n / 16; s += kFour) {
        F32x4 scales[kFour], mins[kFour];  // [i]: of the i-th sixteen, a lane a row
        for (int r = 0; r < kRows; ++r) scales[r] = load<F32x4>(scale[r] + s);
        for (int r = 0; r < kRows; ++r) mins[r] = load<F32x4>(min[r] + s);
        transpose(scales);
        transpose(mins);
        const int64_t four = (n / 16 - s < kFour) ? n / 16 - s : kFour;
        for (int64_t j = s; j < s + four; ++j) {
          const I32x4 dot = dot_of_rows(code, 16 * j, x.q + at + 16 * j);
          sum = add_sixteen(sum, scales[j - s] * x.d[at / 32 + j / 2], dot, mins[j - s], x.sum16[at / 16 + j]);
        }
      }
    }
    for (int r = 0; r < kRows && row + r < tile.n_rows; ++r) out[row + r] = sum[r];
  }
}

void multiply_floats(float* acc, const void* memory, const float* const* x, int n_cols, int64_t n, bool first) {
  const auto* panel = static_cast<const float*>(memory);
  for (int c = 0; c < n_cols; ++c, acc += kPanelRows) {
    F32x4 sum[kPanelRows / 4] = {};
    for (int g = 0; g < kPanelRows / 4 && !first; ++g) sum[g] = load<F32x4>(acc + 4 * g);
    for (int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 8
      for (int g = 0; g < kPanelRows / 4; ++g) sum[g] += load<F32x4>(panel + i * kPanelRows + 4 * g) * x[c][i];
    }
    for (int g = 0; g < kPanelRows / 4; ++g) store(acc + 4 * g, sum[g]);
  }
}

/// A row's sum must stay in order, so several rows are summed side by side.
void dot_floats(float* out, const WeightTile& tile, const float* x, int64_t n, Dequantize dequantize,
                int64_t element_bytes) {
  float value[kRows][kUnit];
  for (int row = 0; row < tile.n_rows; row += kRows) {
    F32x4 sum = {};
    for (int64_t i = 0; i < n; i += kUnit) {
      const int64_t length = (n - i < kUnit) ? n - i : kUnit;
      for (int r = 0; r < kRows; ++r) dequantize(value[r], row_of(tile, row + r) + i * element_bytes, length);
      for (int64_t j = 0; j < length; ++j) {
        sum += F32x4{value[0][j], value[1][j], value[2][j], value[3][j]} * x[i + j];
      }
    }
    for (int r = 0; r < kRows && row + r < tile.n_rows; ++r) out[row + r] = sum[r];
  }
}

}  // namespace hearth::kernels::portable
