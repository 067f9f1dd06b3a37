// The AVX-512 rows of the table for tensor types and matrix products.
#include "kernels/avx512/matmul.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {
namespace avx512 {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace
}  // namespace avx512

void overlay_matmul_avx512(KernelTable& table) {
  avx512::overlay_codes(table.matmul);
  avx512::overlay_floats(table.matmul);
}

}  // namespace hearth::kernels
