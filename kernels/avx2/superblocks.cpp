// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/avx2/dot.h"
#include "kernels/avx2/matmul.h"
#include "kernels/x86/decode_superblocks.h"

namespace hearth::kernels::avx2 {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx2
