// Decoders of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4, NVFP4.
#include "kernels/arm/decode_codebooks.h"
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_DECODER)

}  // namespace hearth::kernels::neon_i8mm
