// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4, NVFP4.
#include "kernels/arm/decode_codebooks.h"
#include "kernels/neon_dotprod/matmul.h"
#include "kernels/neon_dotprod/values.h"

namespace hearth::kernels::neon_dotprod {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::neon_dotprod
