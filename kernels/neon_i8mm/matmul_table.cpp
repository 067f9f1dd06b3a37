// The rows of the table for products with panels of integer codes. A few columns, floats and the packing of activations
// are the base's.
#include "kernels/neon_i8mm/matmul.h"
#include "kernels/neon_i8mm/overlay.h"
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::neon_i8mm {
namespace {

template <reference::Unpack unpack, int block_size, int block_bytes, PanelKind kind>
void decode_generic(void* panel, const WeightTile& tile, int64_t n) {
  reference::decode_unpacked(panel, tile, n, kind, unpack, block_size, block_bytes, put_block);
}

}  // namespace

void overlay_matmul(KernelTable& table) {
  MatmulKernels& m = table.matmul;
  // Any type first, then those that have decoders.
#define HEARTH_FLOAT_TYPE(Name, size, bytes)
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) \
  m.decode[static_cast<int>(TypeIndex::k##Name)] = \
      decode_generic<reference::unpack_##Name, size, bytes, PanelKind::kind>;
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
#define HEARTH_DECODER(Name, ...) m.decode[static_cast<int>(TypeIndex::k##Name)] = decode_##Name;
  HEARTH_DECODED_TYPES(HEARTH_DECODER)
#undef HEARTH_DECODER
  m.multiply[static_cast<int>(PanelKind::kScale32)] = multiply_scale32;
  m.multiply[static_cast<int>(PanelKind::kScale32Min)] = multiply_scale32_min;
  m.multiply[static_cast<int>(PanelKind::kScale16)] = multiply_scale16;
  m.multiply[static_cast<int>(PanelKind::kScale16Min)] = multiply_scale16_min;
  m.put_block = put_block;
}

}  // namespace hearth::kernels::neon_i8mm
