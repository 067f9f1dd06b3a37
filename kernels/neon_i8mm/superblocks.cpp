// Decoders of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/arm/decode_superblocks.h"
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_DECODER)

}  // namespace hearth::kernels::neon_i8mm
