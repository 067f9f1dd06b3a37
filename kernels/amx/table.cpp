// The kernels of this instruction set in the kernel table.
#include "kernels/amx/overlay.h"

namespace hearth::kernels {

void overlay_amx(KernelTable& table) {
  amx::overlay_wide(table.matmul.wide);
  amx::overlay_wide_weights(table.matmul.wide);
  amx::overlay_attention_run(table);
  amx::overlay_peak(table);
}

}  // namespace hearth::kernels
