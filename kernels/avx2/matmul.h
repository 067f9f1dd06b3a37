// The AVX2 matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx2 {

/// The types with decoders of their own.
#define HEARTH_AVX2_DECODERS(X) \
  X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q8_0) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_NL) X(IQ4_XS) X(MXFP4)

#define HEARTH_DECLARE(Name)                                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n);                                        \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols);
HEARTH_AVX2_DECODERS(HEARTH_DECLARE)
#undef HEARTH_DECLARE

void decode_F32(void* panel, const WeightTile& tile, int64_t n);
void decode_F16(void* panel, const WeightTile& tile, int64_t n);
void decode_BF16(void* panel, const WeightTile& tile, int64_t n);

/// Decodes any type of integer codes through its unpack function; for types without a decoder of their own.
void decode_unpacked(void* panel, const WeightTile& tile, int64_t n,
                     void (*unpack)(const Unpacked& out, const void* blocks, int64_t n), int64_t block_size,
                     int64_t block_bytes);

void multiply_scale32(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale32_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale16(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_scale16_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first);
void multiply_floats(float* acc, const void* panel, const float* const* x, int n_cols, int64_t n, bool first);
void pack_acts(const ActGroup& group, int c, const float* x, int64_t k);

void dot_rows_F32(float* out, const WeightTile& tile, const float* x, int64_t n);
void dot_rows_F16(float* out, const WeightTile& tile, const float* x, int64_t n);
void dot_rows_BF16(float* out, const WeightTile& tile, const float* x, int64_t n);

}  // namespace hearth::kernels::avx2
