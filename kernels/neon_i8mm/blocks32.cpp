// Decoders of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include "kernels/arm/decode_blocks32.h"
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {

HEARTH_BLOCKS32_DECODERS(HEARTH_DEFINE_DECODER)

}  // namespace hearth::kernels::neon_i8mm
