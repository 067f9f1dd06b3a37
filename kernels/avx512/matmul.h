// The AVX-512 VNNI matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx512 {

#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::avx512
