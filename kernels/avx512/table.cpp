// The AVX-512 row of the kernel table, except matrix products (matmul_table.cpp).
#include "kernels/overlays.h"

namespace hearth::kernels {

void overlay_avx512(KernelTable& table) {
  (void)table;
}

}  // namespace hearth::kernels
