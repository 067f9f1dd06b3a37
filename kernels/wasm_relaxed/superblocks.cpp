// Kernels of the types with superblocks of 256: Q2_K to Q6_K.
#include "kernels/arm/decode_superblocks.h"
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {

HEARTH_SUPERBLOCK_DECODERS(HEARTH_DEFINE_RELAXED)

}  // namespace hearth::kernels::wasm_relaxed
