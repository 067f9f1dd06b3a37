// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4.
#include "kernels/avx2/decode_codebooks.h"
#include "kernels/avx2/dot.h"
#include "kernels/avx2/matmul.h"

namespace hearth::kernels::avx2 {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx2
