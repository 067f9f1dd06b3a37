// The AVX2 rows of the table for tensor types and matrix products.
#include "kernels/avx2/matmul.h"
#include "kernels/kernel_table.h"

namespace hearth::kernels {

void overlay_matmul_avx2(KernelTable& table) {
  MatmulKernels& m = table.matmul;
#define HEARTH_FLOAT_TYPE(Name, size, bytes)                            \
  m.decode[static_cast<int>(TypeIndex::k##Name)] = avx2::decode_##Name; \
  m.dot_rows[static_cast<int>(TypeIndex::k##Name)] = avx2::dot_rows_##Name;
#define HEARTH_QUANT_TYPE(Name, size, bytes)                            \
  m.decode[static_cast<int>(TypeIndex::k##Name)] = avx2::decode_##Name; \
  m.dot_columns[static_cast<int>(TypeIndex::k##Name)] = avx2::dot_columns_##Name;
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  m.multiply[static_cast<int>(PanelKind::kScale32)] = avx2::multiply_scale32;
  m.multiply[static_cast<int>(PanelKind::kScale32Min)] = avx2::multiply_scale32_min;
  m.multiply[static_cast<int>(PanelKind::kScale16)] = avx2::multiply_scale16;
  m.multiply[static_cast<int>(PanelKind::kScale16Min)] = avx2::multiply_scale16_min;
  m.multiply_floats = avx2::multiply_floats;
  m.pack_acts = avx2::pack_acts;
  m.dot_most_cols = kDotCols;
}

}  // namespace hearth::kernels
