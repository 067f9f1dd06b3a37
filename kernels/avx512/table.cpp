// This folder's row of the kernel table, except matrix products (matmul_table.cpp).
#include "kernels/avx512/overlay.h"
#include "kernels/overlays.h"

namespace hearth::kernels {

void overlay_avx512(KernelTable& table) {
  avx512::overlay_vector_ops(table);
  avx512::overlay_limits(table);
  avx512::overlay_attention(table);
  avx512::overlay_attention_run(table);
}

}  // namespace hearth::kernels
