// Writing and reading one position of a KV page, in the vocabulary of <isa>/simd.h.
#pragma once

#include "kernels/half.h"
#include "kernels/kernel_table.h"
#include "kernels/simd/cells.h"

namespace hearth::kernels {
namespace {

/// Keys are transposed: element d of a token stands at d * 64 + slot.
inline void store_key(void* cells, CellType type, int slot, const float* k, int64_t k_dim) {
  if (type == CellType::kF32) {
    float* to = static_cast<float*>(cells) + slot;
    for (int64_t d = 0; d < k_dim; ++d) to[d * kPageTokens] = k[d];
    return;
  }
  uint16_t* to = static_cast<uint16_t*>(cells) + slot;
  if (type == CellType::kBF16) {
    for (int64_t d = 0; d < k_dim; ++d) to[d * kPageTokens] = float_to_bf16(k[d]);
    return;
  }
  alignas(64) uint16_t halves[kLanes];
  for_each_vector(k_dim, [&](int64_t d, int64_t n) {
    store_half_n(halves, load_up_to(k + d, n), kLanes);
    for (int64_t j = 0; j < n; ++j) to[(d + j) * kPageTokens] = halves[j];
  });
}

inline void store_value(void* cells, CellType type, int slot, const float* v, int64_t v_dim) {
  const int64_t first = int64_t{slot} * v_dim;
  if (type == CellType::kF32) {
    float* to = static_cast<float*>(cells) + first;
    for_each_vector(v_dim, [=](int64_t d, int64_t n) { store_up_to(to + d, load_up_to(v + d, n), n); });
    return;
  }
  uint16_t* to = static_cast<uint16_t*>(cells) + first;
  if (type == CellType::kBF16) {
    for (int64_t d = 0; d < v_dim; ++d) to[d] = float_to_bf16(v[d]);
    return;
  }
  for_each_vector(v_dim, [=](int64_t d, int64_t n) { store_half_n(to + d, load_up_to(v + d, n), n); });
}

inline void store_kv_cells(const KvPage& page, const AttentionShape& shape, int slot, const float* k, const float* v) {
  if (k != nullptr) store_key(page.k, shape.k_type, slot, k, shape.k_dim);
  if (v != nullptr) store_value(page.v, shape.v_type, slot, v, shape.v_dim);
}

}  // namespace
}  // namespace hearth::kernels
