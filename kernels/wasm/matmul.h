// The matrix-product kernels of WebAssembly's SIMD128; see matmul_kernels.h and values.h.
#pragma once

#include "kernels/arm/decoder_list.h"
#include "kernels/matmul_kernels.h"

namespace hearth::kernels::wasm {

#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

}  // namespace hearth::kernels::wasm
