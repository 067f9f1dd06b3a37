// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4, NVFP4.
#include "kernels/arm/decode_codebooks.h"
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::wasm
