// Kernels of the types whose scales are found row by row (arm/decode_rows.h).
#include "kernels/arm/decode_rows.h"
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {

HEARTH_ROW_DECODERS(HEARTH_DEFINE_RELAXED)

}  // namespace hearth::kernels::wasm_relaxed
