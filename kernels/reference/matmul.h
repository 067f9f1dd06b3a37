// The reference matrix-product kernels; see matmul_kernels.h.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::reference {

/// Elements unpacked at once; a multiple of every block size.
inline constexpr int64_t kPiece = 256;

/// A decoded tile: code [n][kPanelRows], scale and min [n / 16][kPanelRows].
struct Panel {
  int8_t* code;
  float* scale;
  float* min;
};

void put_block(void* panel, PanelKind kind, int64_t block, int row, const Unpacked& values);
/// Decodes any float type through its dequantize function: panel [n][kPanelRows] floats.
void decode_floats(void* panel, const WeightTile& tile, int64_t n,
                   void (*dequantize)(float* out, const void* blocks, int64_t n), int64_t element_bytes);

/// Tensor types and matrix products.
void overlay_matmul(KernelTable& table);

void multiply_codes(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first);
void pack_acts(const ActGroup& group, int c, const float* x, int64_t k);

}  // namespace hearth::kernels::reference
