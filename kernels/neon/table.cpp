// The kernels of this instruction set in the kernel table.
#include "kernels/neon/overlay.h"

namespace hearth::kernels {

void overlay_neon(KernelTable& table) {
  neon::overlay_matmul(table);
  neon::overlay_vector_ops(table);
  neon::overlay_peaks(table);
  neon::overlay_attention(table);
  neon::overlay_attention_run(table);
}

}  // namespace hearth::kernels
