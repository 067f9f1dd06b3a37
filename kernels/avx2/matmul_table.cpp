// The AVX2 rows of the table for matrix products: decoders of our own, or the reference unpack functions.
#include "kernels/avx2/matmul.h"
#include "kernels/kernel_table.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels {
namespace {

#define HEARTH_FLOAT_TYPE(Name, size, bytes)
#define HEARTH_QUANT_TYPE(Name, size, bytes)                                      \
  void unpack_and_decode_##Name(void* panel, const WeightTile& tile, int64_t n) { \
    avx2::decode_unpacked(panel, tile, n, reference::unpack_##Name, size, bytes); \
  }
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE

}  // namespace

void overlay_matmul_avx2(KernelTable& table) {
  MatmulKernels& m = table.matmul;
#define HEARTH_FLOAT_TYPE(Name, size, bytes)                            \
  m.decode[static_cast<int>(TypeIndex::k##Name)] = avx2::decode_##Name; \
  m.dot_rows[static_cast<int>(TypeIndex::k##Name)] = avx2::dot_rows_##Name;
#define HEARTH_QUANT_TYPE(Name, size, bytes) m.decode[static_cast<int>(TypeIndex::k##Name)] = unpack_and_decode_##Name;
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
#define HEARTH_OWN_DECODER(Name)                                        \
  m.decode[static_cast<int>(TypeIndex::k##Name)] = avx2::decode_##Name; \
  m.dot_columns[static_cast<int>(TypeIndex::k##Name)] = avx2::dot_columns_##Name;
  HEARTH_AVX2_DECODERS(HEARTH_OWN_DECODER)
#undef HEARTH_OWN_DECODER
  m.multiply[static_cast<int>(PanelKind::kScale32)] = avx2::multiply_scale32;
  m.multiply[static_cast<int>(PanelKind::kScale32Min)] = avx2::multiply_scale32_min;
  m.multiply[static_cast<int>(PanelKind::kScale16)] = avx2::multiply_scale16;
  m.multiply[static_cast<int>(PanelKind::kScale16Min)] = avx2::multiply_scale16_min;
  m.multiply_floats = avx2::multiply_floats;
  m.pack_acts = avx2::pack_acts;
  m.dot_most_cols = kDotCols;
}

}  // namespace hearth::kernels
