// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4.
#include "kernels/avx2/dot.h"
#include "kernels/avx2/matmul.h"
#include "kernels/x86/decode_codebooks.h"

namespace hearth::kernels::avx2 {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx2
