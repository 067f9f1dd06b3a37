// The kernels of this instruction set in the kernel table: matrix products of every type, through unpack functions of
// this folder where there are some, and else of reference/.
#include "kernels/portable/matmul.h"
#include "kernels/portable/overlay.h"
#include "kernels/portable/unpack.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels {
namespace portable {
namespace {

// Names not declared in this folder are those of the reference.
namespace fastest {
using namespace reference;
using portable::unpack_Q4_0;
using portable::unpack_Q4_K;
using portable::unpack_Q5_0;
using portable::unpack_Q5_K;
using portable::unpack_Q6_K;
using portable::unpack_Q8_0;
}  // namespace fastest

__attribute__((noinline)) void dequantize_codes(float* out, const void* blocks, int64_t n, Unpack unpack,
                                                int64_t block_size, int64_t block_bytes) {
  int8_t code[kUnit];
  float scale[kUnit / 16], min[kUnit / 16];
  for (int64_t i = 0; i < n; i += kUnit) {
    const int64_t length = (n - i < kUnit) ? n - i : kUnit;
    unpack({code, scale, min}, static_cast<const char*>(blocks) + i / block_size * block_bytes, length);
    for (int64_t s = 0; s < length / 16; ++s) {
      for (int64_t j = 16 * s; j < 16 * s + 16; ++j) out[i + j] = scale[s] * static_cast<float>(code[j]) - min[s];
    }
  }
}

template <Unpack unpack, int block_size, int block_bytes>
void dequantize(float* out, const void* blocks, int64_t n) {
  dequantize_codes(out, blocks, n, unpack, block_size, block_bytes);
}

template <Unpack unpack, int block_size, int block_bytes>
void decode(void* panel, const WeightTile& tile, int64_t n) {
  decode_codes(panel, tile, n, unpack, block_size, block_bytes);
}

template <Unpack unpack, int block_size, int block_bytes>
void dot_columns(float* out, int64_t /*ldo*/, const WeightTile& tile, const void* acts, int64_t stride, int64_t k,
                 int /*n_cols*/) {
  dot_codes(out, tile, acts, stride, k, unpack, block_size, block_bytes);
}

template <Dequantize dequantize, int element_bytes>
void dot_rows(float* out, const WeightTile& tile, const float* x, int64_t n) {
  dot_floats(out, tile, x, n, dequantize, element_bytes);
}

}  // namespace

void overlay_matmul(KernelTable& table) {
  MatmulKernels& m = table.matmul;
#define HEARTH_FLOAT_TYPE(Name, size, bytes) \
  m.dot_rows[static_cast<int>(TypeIndex::k##Name)] = dot_rows<reference::dequantize_##Name, bytes>;
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind)                               \
  {                                                                              \
    constexpr int i = static_cast<int>(TypeIndex::k##Name);                      \
    table.types[i].unpack = fastest::unpack_##Name;                              \
    table.types[i].dequantize = dequantize<fastest::unpack_##Name, size, bytes>; \
    m.decode[i] = decode<fastest::unpack_##Name, size, bytes>;                   \
    m.dot_columns[i] = dot_columns<fastest::unpack_##Name, size, bytes>;         \
    m.dot_most_cols[i] = 1;                                                      \
  }
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  for (int kind = 1; kind < kPanelKinds; ++kind) m.multiply[kind] = multiply_codes;
  m.put_block = put_block;
  m.multiply_floats = multiply_floats;
  m.pack_acts = pack_acts;
}

}  // namespace portable

void overlay_portable(KernelTable& table) {
  portable::overlay_matmul(table);
  portable::overlay_peaks(table);
  portable::overlay_attention(table);
}

}  // namespace hearth::kernels
