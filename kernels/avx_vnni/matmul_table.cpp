// The AVX-VNNI rows of the table for matrix products; floats are multiplied by the AVX2 kernels.
#include "kernels/avx_vnni/matmul.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {
namespace avx_vnni {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace
}  // namespace avx_vnni

void overlay_matmul_avx_vnni(KernelTable& table) {
  avx_vnni::overlay_codes(table.matmul);
}

}  // namespace hearth::kernels
