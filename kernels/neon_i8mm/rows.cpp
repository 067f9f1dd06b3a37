// Decoders of the types whose scales are found row by row (arm/decode_rows.h).
#include "kernels/arm/decode_rows.h"
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {

HEARTH_ROW_DECODERS(HEARTH_DEFINE_DECODER)

}  // namespace hearth::kernels::neon_i8mm
