// Kernels of the types whose scales are found row by row (arm/decode_rows.h).
#include "kernels/arm/decode_rows.h"
#include "kernels/neon/matmul.h"
#include "kernels/neon/values.h"

namespace hearth::kernels::neon {

HEARTH_ROW_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::neon
