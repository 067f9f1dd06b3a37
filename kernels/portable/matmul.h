// The matrix-product kernels of this instruction set: those of reference/matmul.h, the same results bit for bit, with
// rows in the lanes of short vectors.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::portable {

using Unpack = void (*)(const Unpacked& out, const void* blocks, int64_t n);
using Dequantize = void (*)(float* out, const void* blocks, int64_t n);

/// Elements unpacked at once; a multiple of every block size.
inline constexpr int64_t kUnit = 256;

/// Decodes any integer type through its unpack function.
void decode_codes(void* panel, const WeightTile& tile, int64_t n, Unpack unpack, int64_t block_size,
                  int64_t block_bytes);
/// One block of one row: see MatmulKernels::put_block.
void put_block(void* panel, PanelKind kind, int64_t block, int row, const Unpacked& values);
/// One column without a panel: see MatmulKernels::dot_columns.
void dot_codes(float* out, const WeightTile& tile, const void* acts, int64_t stride, int64_t k, Unpack unpack,
               int64_t block_size, int64_t block_bytes);
/// One column of floats: see MatmulKernels::dot_rows.
void dot_floats(float* out, const WeightTile& tile, const float* x, int64_t n, Dequantize dequantize,
                int64_t element_bytes);
void multiply_codes(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first);
void pack_acts(const ActGroup& group, int c, const float* x, int64_t k);

}  // namespace hearth::kernels::portable
