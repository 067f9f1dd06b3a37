// Kernels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include "kernels/avx_vnni/dot.h"
#include "kernels/avx_vnni/matmul.h"
#include "kernels/x86/decode_blocks32.h"

namespace hearth::kernels::avx_vnni {

HEARTH_BLOCKS32_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx_vnni
