// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/arm/decode_superblocks.h"
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::wasm
