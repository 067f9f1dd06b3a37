// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/wasm/matmul.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  put_codes<Arrangement>(panel, block, row, values);
}

}  // namespace hearth::kernels::wasm
