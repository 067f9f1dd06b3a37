// The AVX2 matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels::avx2 {

#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::avx2
