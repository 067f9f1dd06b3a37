// Unpacked elements put into the panel of this instruction set: see MatmulKernels::put_block.
#include "kernels/neon_dotprod/matmul.h"
#include "kernels/neon_dotprod/values.h"

namespace hearth::kernels::neon_dotprod {

void put_block(void* panel, PanelKind /*kind*/, int64_t block, int row, const Unpacked& values) {
  put_codes<Arrangement>(panel, block, row, values);
}

}  // namespace hearth::kernels::neon_dotprod
