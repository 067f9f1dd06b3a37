// The matrix-product kernels of integer codes by dot products; see matmul_kernels.h and values.h.
#pragma once

#include "kernels/arm/decoder_list.h"
#include "kernels/matmul_kernels.h"

namespace hearth::kernels::wasm_relaxed {

#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::wasm_relaxed
