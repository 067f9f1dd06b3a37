// The AVX2 matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx2 {

#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::avx2
