// The AVX2 rows of the table for tensor types and matrix products.
#include "kernels/avx2/matmul.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {
namespace avx2 {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace
}  // namespace avx2

void overlay_matmul_avx2(KernelTable& table) {
  avx2::overlay_codes(table.matmul);
  avx2::overlay_floats(table.matmul);
}

}  // namespace hearth::kernels
