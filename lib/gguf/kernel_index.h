// From the type numbers of files to the tables of kernels.
#pragma once

#include <algorithm>
#include <iterator>

#include "hearth/gguf.h"
#include "kernels/kernel_table.h"

namespace hearth {

/// What a type's kernels are listed under (kernels::TypeIndex); -1 when it is not computed with.
inline int kernel_index(TensorType type) {
  static constexpr TensorType kTypes[] = {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) TensorType::k##Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) TensorType::k##Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  };
  static_assert(std::size(kTypes) == kernels::kTypeCount);
  const auto* found = std::find(std::begin(kTypes), std::end(kTypes), type);
  return found == std::end(kTypes) ? -1 : static_cast<int>(found - std::begin(kTypes));
}

}  // namespace hearth
