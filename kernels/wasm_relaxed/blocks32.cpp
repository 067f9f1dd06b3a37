// Kernels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include "kernels/arm/decode_blocks32.h"
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {

HEARTH_BLOCKS32_DECODERS(HEARTH_DEFINE_RELAXED)

}  // namespace hearth::kernels::wasm_relaxed
