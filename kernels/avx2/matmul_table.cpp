// The AVX2 rows of the table for tensor types and matrix products.
#include "kernels/avx2/matmul.h"
#include "kernels/avx2/overlay.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::avx2 {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  overlay_codes(table.matmul);
  overlay_floats(table.matmul);
}

}  // namespace hearth::kernels::avx2
