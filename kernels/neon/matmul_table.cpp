// The NEON rows of the table for matrix products.
#include "kernels/neon/matmul.h"
#include "kernels/neon/overlay.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::neon {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  overlay_codes(table.matmul);
  overlay_floats(table.matmul);
}

}  // namespace hearth::kernels::neon
