// How a cached key or value element is stored; mirrors hearth::CellType (checked in lib/cache).
#pragma once

#include <cstdint>

namespace hearth::kernels {

enum class CellType : uint8_t { kF32, kF16, kBF16 };

constexpr int cell_bytes(CellType type) {
  return type == CellType::kF32 ? 4 : 2;
}

}  // namespace hearth::kernels
