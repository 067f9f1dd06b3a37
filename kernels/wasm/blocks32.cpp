// Kernels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include "kernels/arm/decode_blocks32.h"
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {

HEARTH_BLOCKS32_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::wasm
