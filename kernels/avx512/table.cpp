// The kernels of this instruction set in the kernel table.
#include "kernels/avx512/overlay.h"
#include "kernels/x86/floats.h"

namespace hearth::kernels {

void overlay_avx512(KernelTable& table) {
  avx512::overlay_matmul(table);
  avx512::overlay_vector_ops(table);
  avx512::overlay_peaks(table);
  avx512::overlay_attention(table);
  avx512::overlay_attention_run(table);
  table.types[static_cast<int>(TypeIndex::kF16)].dequantize = x86::dequantize_F16;
}

}  // namespace hearth::kernels
