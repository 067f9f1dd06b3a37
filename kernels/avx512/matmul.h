// The AVX-512 VNNI matrix-product kernels; see matmul_kernels.h and panel.h.
#pragma once

#include "kernels/matmul_kernels.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels::avx512 {

/// The types that this set has decoders for, in superblocks.cpp, blocks32.cpp, codebooks.cpp and rows.cpp.
#define HEARTH_DECODED_TYPES(X) HEARTH_DECODERS(X)
#include "kernels/simd/declare_matmul.inc"

void pack_group(const ActGroup& group, const float* const* x, int64_t k);

}  // namespace hearth::kernels::avx512
