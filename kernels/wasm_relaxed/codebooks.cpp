// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4, NVFP4.
#include "kernels/arm/decode_codebooks.h"
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_RELAXED)

}  // namespace hearth::kernels::wasm_relaxed
