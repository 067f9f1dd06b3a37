// The matrix-product kernels of integer codes by products of 2x8 by 8x2; see matmul_kernels.h and values.h.
#pragma once

#include "kernels/arm/decoder_list.h"
#include "kernels/matmul_kernels.h"

namespace hearth::kernels::neon_i8mm {

#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::neon_i8mm
