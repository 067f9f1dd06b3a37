// The AVX2 matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx2 {

void decode_Q4_0(void* panel, const WeightTile& tile, int64_t n);
void decode_Q4_1(void* panel, const WeightTile& tile, int64_t n);
void decode_Q5_0(void* panel, const WeightTile& tile, int64_t n);
void decode_Q5_1(void* panel, const WeightTile& tile, int64_t n);
void decode_Q8_0(void* panel, const WeightTile& tile, int64_t n);
void decode_Q4_K(void* panel, const WeightTile& tile, int64_t n);
void decode_Q5_K(void* panel, const WeightTile& tile, int64_t n);
void decode_Q6_K(void* panel, const WeightTile& tile, int64_t n);
void decode_IQ4_NL(void* panel, const WeightTile& tile, int64_t n);
void decode_IQ4_XS(void* panel, const WeightTile& tile, int64_t n);
void decode_MXFP4(void* panel, const WeightTile& tile, int64_t n);
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

void dot_columns_Q4_0(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q4_1(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q5_0(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q5_1(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q8_0(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q4_K(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q5_K(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_Q6_K(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                      int n_cols);
void dot_columns_IQ4_NL(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                        int n_cols);
void dot_columns_IQ4_XS(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                        int n_cols);
void dot_columns_MXFP4(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                       int n_cols);

void dot_rows_F32(float* out, const WeightTile& tile, const float* x, int64_t n);
void dot_rows_F16(float* out, const WeightTile& tile, const float* x, int64_t n);
void dot_rows_BF16(float* out, const WeightTile& tile, const float* x, int64_t n);

}  // namespace hearth::kernels::avx2
