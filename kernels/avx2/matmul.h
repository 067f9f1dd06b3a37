// The AVX2 matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx2 {

#define HEARTH_FLOAT_TYPE(Name, size, bytes)                          \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n); \
  void dot_rows_##Name(float* out, const WeightTile& tile, const float* x, int64_t n);
#define HEARTH_QUANT_TYPE(Name, size, bytes)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n);                                        \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols);
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE

void multiply_scale32(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale32_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale16(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale16_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first);
void pack_acts(const ActGroup& group, int c, const float* x, int64_t k);

}  // namespace hearth::kernels::avx2
