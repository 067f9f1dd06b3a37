// The rows of the table for matrix products: those of integer codes are of this set, floats are multiplied and
// activations packed by the files of neon/.
#include "kernels/neon/matmul.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/overlay.h"

namespace hearth::kernels::wasm {
namespace {

using neon::decode_BF16;
using neon::decode_F16;
using neon::decode_F32;
using neon::dot_rows_BF16;
using neon::dot_rows_F16;
using neon::dot_rows_F32;
using neon::multiply_floats;
using neon::pack_acts;

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  overlay_codes(table.matmul);
  overlay_floats(table.matmul);
}

}  // namespace hearth::kernels::wasm
