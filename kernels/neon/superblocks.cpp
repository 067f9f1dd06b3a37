// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/arm/decode_superblocks.h"
#include "kernels/neon/matmul.h"
#include "kernels/neon/values.h"

namespace hearth::kernels::neon {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::neon
