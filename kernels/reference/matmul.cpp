// Reference of the matrix product: decode a tile into a panel, quantize activations, multiply. Written to be read;
// the panel holds codes element by element, [element][row], and what each instruction set does must agree with it.
#include "kernels/reference/matmul.h"

namespace hearth::kernels::reference {
namespace {

Panel panel_at(void* memory) {
  auto* code = static_cast<int8_t*>(memory);
  constexpr int64_t kElements = int64_t{kPanelRows} * kPanelBlocks * kActBlock;
  auto* scale = static_cast<float*>(static_cast<void*>(code + kElements));
  return {code, scale, scale + kElements / 16};
}

}  // namespace

void put_block(void* memory, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  const Panel panel = panel_at(memory);
  for (int64_t i = 0; i < kActBlock; ++i) panel.code[(block * kActBlock + i) * kPanelRows + row] = values.code[i];
  for (int64_t half = 0; half < 2; ++half) {
    panel.scale[(block * 2 + half) * kPanelRows + row] = values.scale[half];
    panel.min[(block * 2 + half) * kPanelRows + row] = values.min[half];
  }
}

void decode_floats(void* memory, const WeightTile& tile, int64_t n,
                   void (*dequantize)(float* out, const void* blocks, int64_t n), int64_t element_bytes) {
  auto* panel = static_cast<float*>(memory);
  float value[kPiece];
  for (int r = 0; r < kPanelRows; ++r) {
    const int row = (r < tile.n_rows) ? r : tile.n_rows - 1;
    const char* data = static_cast<const char*>(tile.data) + row * tile.row_bytes;
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t length = (n - i < kPiece) ? n - i : kPiece;
      dequantize(value, data + i * element_bytes, length);
      for (int64_t j = 0; j < length; ++j) panel[(i + j) * kPanelRows + r] = value[j];
    }
  }
}

// acc[c][r] = sum over 16s s of d[c] * scale[r][s] * (sum of code * q) - min[r][s] * d[c] * (sum of q)
void multiply_codes(float* acc, const void* memory, const ActGroup& x, int64_t nb, bool first) {
  const Panel panel = panel_at(const_cast<void*>(memory));
  const int n_cols = x.n_cols;
  for (int c = 0; c < n_cols; ++c) {
    for (int r = 0; r < kPanelRows; ++r) {
      float sum = first ? 0.0f : acc[c * kPanelRows + r];
      for (int64_t s = 0; s < 2 * nb; ++s) {  // a block of 32 is two sixteens
        int32_t dot = 0;
        for (int64_t i = 16 * s; i < 16 * s + 16; ++i) {
          dot += panel.code[i * kPanelRows + r] * x.q[(i / 4 * n_cols + c) * 4 + i % 4];
        }
        const float scale = panel.scale[s * kPanelRows + r] * x.d[s / 2 * n_cols + c];
        sum += scale * static_cast<float>(dot);
        sum -= panel.min[s * kPanelRows + r] * x.sum16[s * n_cols + c];
      }
      acc[c * kPanelRows + r] = sum;
    }
  }
}

void multiply_floats(float* acc, const void* memory, const float* const* x, int n_cols, int64_t n, bool first) {
  const auto* panel = static_cast<const float*>(memory);
  for (int c = 0; c < n_cols; ++c) {
    for (int r = 0; r < kPanelRows; ++r) {
      float sum = first ? 0.0f : acc[c * kPanelRows + r];
      for (int64_t i = 0; i < n; ++i) sum += panel[i * kPanelRows + r] * x[c][i];
      acc[c * kPanelRows + r] = sum;
    }
  }
}

/// The number of steps to the largest magnitude that codes 32 words with the smallest squared error.
static int best_trial(const int16_t* words) {
  float least = 0.0f;
  int steps = 0;
  for (int g = 0; g < kActTrials; ++g) {
    int32_t error = kActTrialBias[g];
    for (int i = 0; i < kActBlock; ++i) {
      const int rest = static_cast<int16_t>(4 * kActTrialSteps[g] * words[i]) >> kActRestShift;
      error += rest * rest;
    }
    const float weighed = static_cast<float>(error) * kActTrialArea[g];
    if (g > 0 && weighed >= least) continue;
    least = weighed;
    steps = kActTrialSteps[g];
  }
  return steps;
}

/// The largest magnitude of a block; not-a-number when there is one.
static float largest_magnitude(const float* x) {
  float largest = 0.0f;
  for (int i = 0; i < kActBlock; ++i) {
    const float magnitude = __builtin_fabsf(x[i]);
    if (!(magnitude <= largest)) largest = magnitude;
    if (__builtin_isnan(largest)) break;
  }
  return largest;
}

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    const float largest = largest_magnitude(x);
    const float unit = (largest < kActSmallest) ? 0.0f : kActUnit / largest;
    int16_t words[kActBlock];
    for (int i = 0; i < kActBlock; ++i) {
      const float rounded = __builtin_rintf(x[i] * unit);
      words[i] = (rounded >= -kActUnit && rounded <= kActUnit) ? static_cast<int16_t>(rounded) : int16_t{0};  // NaN: 0
    }
    const int steps = best_trial(words);
    int sum[2] = {0, 0}, products = 0, squares = 0;
    for (int i = 0; i < kActBlock; ++i) {
      const int code = (words[i] * steps + (1 << 13)) >> 14;
      group.q[((b * 8 + i / 4) * n_cols + c) * 4 + i % 4] = static_cast<int8_t>(code);
      sum[i / 16] += code;
      products += words[i] * code;
      squares += code * code;
    }
    // Least squares: d q is nearest to x. What is not finite gives not-a-number.
    const float fitted = static_cast<float>(products) / static_cast<float>(squares) * (largest / kActUnit);
    const float d = (largest < kActSmallest) ? 0.0f : fitted + (largest - largest);
    group.d[b * n_cols + c] = d;
    group.sum16[(2 * b) * n_cols + c] = d * static_cast<float>(sum[0]);
    group.sum16[(2 * b + 1) * n_cols + c] = d * static_cast<float>(sum[1]);
    group.sum32[b * n_cols + c] = d * static_cast<float>(sum[0] + sum[1]);
  }
}

}  // namespace hearth::kernels::reference
