// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/values.h"

namespace hearth::kernels::neon_i8mm {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  put_codes<Arrangement>(panel, block, row, values);
}

}  // namespace hearth::kernels::neon_i8mm
