// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/wasm_relaxed/matmul.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels::wasm_relaxed {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  put_codes<Arrangement>(panel, block, row, values);
  static_cast<char*>(panel)[kWideMarkAt] = 1;
}

}  // namespace hearth::kernels::wasm_relaxed
