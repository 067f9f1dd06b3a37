// What the files of this instruction set put into the kernel table.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::amx {

void overlay_wide(WideKernels& wide);
void overlay_wide_weights(WideKernels& wide);
void overlay_attention_run(KernelTable& table);
void overlay_peak(KernelTable& table);

}  // namespace hearth::kernels::amx
