// The AVX-512 rows of the table for tensor types and matrix products.
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/overlay.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::avx512 {
namespace {

#include "kernels/simd/overlay_matmul.inc"

}  // namespace

void overlay_matmul(KernelTable& table) {
  overlay_codes(table.matmul);
  table.matmul.pack_group = pack_group;
  overlay_floats(table.matmul);
}

}  // namespace hearth::kernels::avx512
