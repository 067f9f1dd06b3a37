// Kernels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4.
#include "kernels/avx_vnni/dot.h"
#include "kernels/avx_vnni/matmul.h"
#include "kernels/x86/decode_codebooks.h"

namespace hearth::kernels::avx_vnni {

HEARTH_CODEBOOK_DECODERS(HEARTH_DEFINE_KERNELS)

}  // namespace hearth::kernels::avx_vnni
