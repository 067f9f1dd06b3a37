// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/neon/matmul.h"
#include "kernels/neon/values.h"

namespace hearth::kernels::neon {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  put_codes<Arrangement>(panel, block, row, values);
}

}  // namespace hearth::kernels::neon
