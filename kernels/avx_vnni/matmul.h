// The AVX-VNNI matrix-product kernels of integer codes; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx_vnni {

#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::avx_vnni
