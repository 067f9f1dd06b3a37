// How many elements and bytes a tensor of a type and shape has.
#pragma once

#include <cstdint>
#include <span>

#include "hearth/gguf.h"
#include "hearth/result.h"

namespace hearth {

struct TensorSize {
  int64_t n_elements = 0;
  uint64_t size_bytes = 0;
};

/// Checks type (kUnsupported), dims (positive, product in 63 bits) and that a row is whole blocks (kFormat).
/// The message names neither tensor nor offset.
Result<TensorSize> tensor_size(TensorType type, std::span<const int64_t> dims);

}  // namespace hearth
