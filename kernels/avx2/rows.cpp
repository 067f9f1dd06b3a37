// Kernels of the types that are decoded row by row (x86/row_codes.h).
#include "kernels/avx2/dot.h"
#include "kernels/avx2/matmul.h"
#include "kernels/x86/decode_rows.h"

namespace hearth::kernels::avx2 {

#define HEARTH_DEFINE_ROW_KERNELS(Name, Row) HEARTH_DEFINE_KERNELS(Name, DecodeRows<Row>)
HEARTH_ROW_DECODERS(HEARTH_DEFINE_ROW_KERNELS)
#undef HEARTH_DEFINE_ROW_KERNELS

}  // namespace hearth::kernels::avx2
