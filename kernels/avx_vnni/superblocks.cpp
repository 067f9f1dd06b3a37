// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/avx2/decode_superblocks.h"
#include "kernels/avx_vnni/dot.h"
#include "kernels/avx_vnni/matmul.h"

namespace hearth::kernels::avx_vnni {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx_vnni
