// Checked sizes of tensors.
#include "lib/gguf/tensor_size.h"

#include <limits>
#include <string>

#include "lib/base/concat.h"

namespace hearth {

Result<TensorSize> tensor_size(TensorType type, std::span<const int64_t> dims) {
  const TensorTypeInfo* info = tensor_type_info(type);
  if (info == nullptr) {
    return Error{ErrorCode::kUnsupported, concat("unknown type ", static_cast<uint32_t>(type))};
  }
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  TensorSize size{1, 0};
  for (const int64_t dim : dims) {
    if (dim < 0) return Error{ErrorCode::kFormat, concat("has a dimension of ", dim)};
    if (dim > 0 && size.n_elements > kMax / dim)
      return Error{ErrorCode::kFormat, "the product of its dimensions overflows"};
    size.n_elements *= dim;
  }
  const int64_t n_cols = dims.empty() ? 1 : dims[0];
  if (n_cols % info->block_size != 0) {
    return Error{ErrorCode::kFormat, concat("its rows of ", n_cols, " elements are not whole blocks of ",
                                            info->block_size, " (", info->name, ")")};
  }
  const int64_t n_blocks = size.n_elements / info->block_size;
  if (n_blocks > kMax / info->block_bytes) return Error{ErrorCode::kFormat, "its size in bytes overflows"};
  size.size_bytes = static_cast<uint64_t>(n_blocks) * info->block_bytes;
  return size;
}

}  // namespace hearth
