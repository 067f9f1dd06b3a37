// The AVX-VNNI rows of the table for matrix products; floats are multiplied by the AVX2 kernels.
#include "kernels/avx_vnni/matmul.h"
#include "kernels/avx_vnni/overlay.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::avx_vnni {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  overlay_codes(table.matmul);
}

}  // namespace hearth::kernels::avx_vnni
