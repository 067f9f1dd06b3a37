// The AVX-VNNI matrix-product kernels of integer codes; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels::avx_vnni {

#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::avx_vnni
