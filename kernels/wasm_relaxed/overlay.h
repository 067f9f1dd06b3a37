// What the files of this instruction set put into the kernel table.
#pragma once

#include "kernels/kernel_table.h"

namespace hearth::kernels::wasm_relaxed {

void overlay_matmul(KernelTable& table);

}  // namespace hearth::kernels::wasm_relaxed
