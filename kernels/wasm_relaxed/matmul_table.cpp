// The rows of the table for matrix products of integer codes. Floats are multiplied, and activations packed, by the
// base.
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/overlay.h"

namespace hearth::kernels::wasm_relaxed {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  const auto pack_acts_of_base = table.matmul.pack_acts;
  overlay_codes(table.matmul);
  table.matmul.pack_acts = pack_acts_of_base;
}

}  // namespace hearth::kernels::wasm_relaxed
