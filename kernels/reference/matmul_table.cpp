// The reference rows of the table for tensor types and matrix products.
#include "kernels/reference/generic_decode.h"
#include "kernels/reference/matmul.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::reference {
namespace {

template <Unpack unpack, int block_size, int block_bytes>
void dequantize_codes(float* out, const void* blocks, int64_t n) {
  int8_t code[kPiece];
  float scale[kPiece / 16];
  float min[kPiece / 16];
  for (int64_t i = 0; i < n; i += kPiece) {
    const int64_t length = (n - i < kPiece) ? n - i : kPiece;
    unpack({code, scale, min}, static_cast<const char*>(blocks) + i / block_size * block_bytes, length);
    for (int64_t j = 0; j < length; ++j) {
      out[i + j] = scale[j / 16] * static_cast<float>(code[j]) - min[j / 16];
    }
  }
}

template <Unpack unpack, int block_size, int block_bytes, PanelKind kind>
void decode_codes(void* panel, const WeightTile& tile, int64_t n) {
  decode_unpacked(panel, tile, n, kind, unpack, block_size, block_bytes, put_block);
}

template <void (*dequantize)(float*, const void*, int64_t), int element_bytes>
void decode_float_type(void* panel, const WeightTile& tile, int64_t n) {
  decode_floats(panel, tile, n, dequantize, element_bytes);
}

template <void (*dequantize)(float*, const void*, int64_t), int element_bytes>
void dot_float_rows(float* out, const WeightTile& tile, const float* x, int64_t n) {
  float value[kPiece];
  for (int r = 0; r < tile.n_rows; ++r) {
    const char* row = static_cast<const char*>(tile.data) + r * tile.row_bytes;
    float sum = 0.0f;
    for (int64_t i = 0; i < n; i += kPiece) {
      const int64_t length = (n - i < kPiece) ? n - i : kPiece;
      dequantize(value, row + i * element_bytes, length);
      for (int64_t j = 0; j < length; ++j) sum += value[j] * x[i + j];
    }
    out[r] = sum;
  }
}

}  // namespace

void overlay_matmul(KernelTable& table) {
#define HEARTH_FLOAT_TYPE(Name, size, bytes)                                       \
  {                                                                                \
    constexpr int i = static_cast<int>(TypeIndex::k##Name);                        \
    table.types[i] = {dequantize_##Name, nullptr, PanelKind::kFloat, size, bytes}; \
    table.matmul.decode[i] = decode_float_type<dequantize_##Name, bytes>;          \
    table.matmul.dot_rows[i] = dot_float_rows<dequantize_##Name, bytes>;           \
  }
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind)                                                                \
  {                                                                                                               \
    constexpr int i = static_cast<int>(TypeIndex::k##Name);                                                       \
    table.types[i] = {dequantize_codes<unpack_##Name, size, bytes>, unpack_##Name, PanelKind::kind, size, bytes}; \
    table.matmul.decode[i] = decode_codes<unpack_##Name, size, bytes, PanelKind::kind>;                           \
    table.matmul.dot_rows[i] = nullptr;                                                                           \
    table.matmul.dot_columns[i] = nullptr;                                                                        \
    table.matmul.dot_most_cols[i] = 0;                                                                            \
  }
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  table.matmul.multiply[static_cast<int>(PanelKind::kFloat)] = nullptr;
  for (int kind = 1; kind < kPanelKinds; ++kind) table.matmul.multiply[kind] = multiply_codes;
  table.matmul.multiply_floats = multiply_floats;
  table.matmul.pack_acts = pack_acts;
  table.matmul.put_block = put_block;
}

}  // namespace hearth::kernels::reference
