// Writing and reading one position of a KV page: keys [k_dim, 64] transposed, values [64, v_dim].
#include "kernels/half.h"
#include "kernels/reference/kv_cells.h"
#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {
namespace {

void store_cell(void* cells, CellType type, int64_t index, float x) {
  switch (type) {
    case CellType::kF32: static_cast<float*>(cells)[index] = x; break;
    case CellType::kF16: static_cast<uint16_t*>(cells)[index] = float_to_half(x); break;
    case CellType::kBF16: static_cast<uint16_t*>(cells)[index] = float_to_bf16(x); break;
  }
}

}  // namespace

float load_cell(const void* cells, CellType type, int64_t index) {
  switch (type) {
    case CellType::kF32: return static_cast<const float*>(cells)[index];
    case CellType::kF16: return half_to_float(static_cast<const uint16_t*>(cells)[index]);
    case CellType::kBF16: return bf16_to_float(static_cast<const uint16_t*>(cells)[index]);
  }
  return 0;
}

void store_kv(const KvPage& page, const AttentionShape& shape, int slot, const float* k, const float* v) {
  for (int64_t d = 0; k != nullptr && d < shape.k_dim; ++d) {
    store_cell(page.k, shape.k_type, d * kPageTokens + slot, k[d]);
  }
  for (int64_t d = 0; v != nullptr && d < shape.v_dim; ++d) {
    store_cell(page.v, shape.v_type, int64_t{slot} * shape.v_dim + d, v[d]);
  }
}

void load_kv(float* k, float* v, const KvPage& page, const AttentionShape& shape, int slot) {
  for (int64_t d = 0; k != nullptr && d < shape.k_dim; ++d) {
    k[d] = load_cell(page.k, shape.k_type, d * kPageTokens + slot);
  }
  for (int64_t d = 0; v != nullptr && d < shape.v_dim; ++d) {
    v[d] = load_cell(page.v, shape.v_type, int64_t{slot} * shape.v_dim + d);
  }
}

}  // namespace hearth::kernels::reference
