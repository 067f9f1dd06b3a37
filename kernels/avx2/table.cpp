// The kernels of this instruction set in the kernel table.
#include "kernels/avx2/overlay.h"
#include "kernels/x86/floats.h"

namespace hearth::kernels {

void overlay_avx2(KernelTable& table) {
  avx2::overlay_matmul(table);
  avx2::overlay_vector_ops(table);
  avx2::overlay_peaks(table);
  avx2::overlay_attention(table);
  avx2::overlay_attention_run(table);
  table.types[static_cast<int>(TypeIndex::kF16)].dequantize = x86::dequantize_F16;
}

}  // namespace hearth::kernels
