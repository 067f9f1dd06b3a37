// The kernels of this instruction set in the kernel table: products of its own, and what neon/ has for registers of 128
// bits.
#include "kernels/neon/overlay.h"
#include "kernels/wasm/overlay.h"

namespace hearth::kernels {

void overlay_wasm(KernelTable& table) {
  wasm::overlay_matmul(table);
  wasm::overlay_peaks(table);
  neon::overlay_vector_ops(table);
  neon::overlay_attention(table);
  neon::overlay_attention_run(table);
}

}  // namespace hearth::kernels
