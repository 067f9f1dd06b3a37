// This folder's row of the kernel table, except matrix products (matmul_table.cpp).
#include "kernels/avx2/overlay.h"
#include "kernels/overlays.h"

namespace hearth::kernels {

void overlay_avx2(KernelTable& table) {
  avx2::overlay_vector_ops(table);
  avx2::overlay_limits(table);
  avx2::overlay_attention(table);
  avx2::overlay_attention_run(table);
}

}  // namespace hearth::kernels
