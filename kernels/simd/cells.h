// Cells of KV pages as vectors of floats, in the vocabulary of <isa>/simd.h.
#pragma once

#include "kernels/cell_types.h"
#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

/// `index` counts elements from the start of the page's keys or values.
template <CellType kType>
inline Floats load_cells(const void* cells, int64_t index) {
  if constexpr (kType == CellType::kF32) return load(static_cast<const float*>(cells) + index);
  if constexpr (kType == CellType::kF16) return load_half(static_cast<const uint16_t*>(cells) + index);
  return load_bf16(static_cast<const uint16_t*>(cells) + index);
}

/// The first n < kLanes of them; the rest is 0 and not touched.
template <CellType kType>
inline Floats load_cells_n(const void* cells, int64_t index, int64_t n) {
  if constexpr (kType == CellType::kF32) return load_n(static_cast<const float*>(cells) + index, n);
  if constexpr (kType == CellType::kF16) return load_half_n(static_cast<const uint16_t*>(cells) + index, n);
  return load_bf16_n(static_cast<const uint16_t*>(cells) + index, n);
}

template <CellType kType>
inline Floats load_cells_up_to(const void* cells, int64_t index, int64_t n) {
  return n >= kLanes ? load_cells<kType>(cells, index) : load_cells_n<kType>(cells, index, n);
}

inline const void* cell_address(const void* cells, CellType type, int64_t index) {
  return static_cast<const char*>(cells) + index * cell_bytes(type);
}

}  // namespace
}  // namespace hearth::kernels
