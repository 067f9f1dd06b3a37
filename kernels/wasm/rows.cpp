// Kernels of the types whose scales are found row by row (arm/decode_rows.h).
#include "kernels/arm/decode_rows.h"
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {

HEARTH_ROW_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::wasm
