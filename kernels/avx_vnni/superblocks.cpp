// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/avx_vnni/dot.h"
#include "kernels/avx_vnni/matmul.h"
#include "kernels/x86/decode_superblocks.h"

namespace hearth::kernels::avx_vnni {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx_vnni
