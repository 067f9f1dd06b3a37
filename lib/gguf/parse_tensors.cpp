// Tensor infos of one GGUF file: shapes, sizes and places.
#include <algorithm>
#include <limits>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/gguf/limits.h"
#include "lib/gguf/parser.h"
#include "lib/gguf/tensor_size.h"

namespace hearth {

Status GgufParser::parse_tensors() {
  shard_.tensors.reserve(static_cast<size_t>(n_tensors_));
  for (uint64_t i = 0; i < n_tensors_; ++i) {
    if (Status s = parse_tensor(); !s) return s;
  }
  return {};
}

Status GgufParser::parse_tensor() {
  GgufTensor tensor;
  tensor.shard = shard_index_;
  const std::string what = concat("name of tensor ", shard_.tensors.size());
  if (Status s = read_name(what, gguf_limits::kMaxTensorNameBytes, tensor.name); !s) return s;
  const std::string name = concat("tensor ", quoted(tensor.name), ": ");
  if (Status s = parse_shape(tensor, name); !s) return s;
  const uint64_t type_offset = cursor_.offset();
  uint32_t type = 0;
  // Relative to the start of the data until place_tensors() has found that.
  if (!cursor_.read(type) || !cursor_.read(tensor.file_offset)) {
    return fail(cursor_.offset(), name + "the file ends in its description");
  }
  tensor.type = static_cast<TensorType>(type);
  const Result<TensorSize> size = tensor_size(tensor.type, {tensor.dims.data(), tensor.n_dims});
  if (!size) return fail(type_offset, name + size.error().message, size.error().code);
  tensor.n_elements = size->n_elements;
  tensor.size_bytes = size->size_bytes;
  if (tensor.file_offset % shard_.alignment != 0) {
    return fail(cursor_.offset() - sizeof(uint64_t), concat(name, "its offset ", tensor.file_offset,
                                                            " is not a multiple of the alignment ", shard_.alignment));
  }
  shard_.tensors.push_back(tensor);
  return {};
}

Status GgufParser::parse_shape(GgufTensor& tensor, const std::string& name) {
  const uint64_t offset = cursor_.offset();
  if (!cursor_.read(tensor.n_dims)) return fail(offset, name + "the file ends in its description");
  if (tensor.n_dims > tensor.dims.size()) {  // none: a single element
    return fail(offset, concat(name, "has ", tensor.n_dims, " dimensions, not 0 to 4"));
  }
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    if (!cursor_.read(tensor.dims[i])) return fail(cursor_.offset(), name + "the file ends in its description");
  }
  return {};
}

Status GgufParser::place_tensors() {
  const uint64_t infos_end = cursor_.offset();
  // The end of the infos is at most the size of an object in memory, so rounding up cannot overflow.
  shard_.data_offset = (infos_end + shard_.alignment - 1) & ~(shard_.alignment - 1);
  for (GgufTensor& tensor : shard_.tensors) {
    const std::string name = concat("tensor ", quoted(tensor.name), ": ");
    const uint64_t limit = std::numeric_limits<int64_t>::max();
    if (tensor.size_bytes > limit || tensor.file_offset > limit - tensor.size_bytes ||
        shard_.data_offset > limit - tensor.size_bytes - tensor.file_offset) {
      return fail(infos_end,
                  concat(name, "its offset ", tensor.file_offset, " and size ", tensor.size_bytes, " overflow"));
    }
    tensor.file_offset += shard_.data_offset;
    if (metadata_only_) continue;
    if (tensor.file_offset + tensor.size_bytes > bytes_.size()) {
      return fail(tensor.file_offset, concat(name, "its ", tensor.size_bytes, " bytes pass the end of the file of ",
                                             bytes_.size(), " bytes; is the download complete?"));
    }
    tensor.data = bytes_.data() + tensor.file_offset;
  }
  return {};
}

Status GgufParser::check_overlap() {
  std::vector<uint32_t> order;
  order.reserve(shard_.tensors.size());
  for (size_t i = 0; i < shard_.tensors.size(); ++i) {
    if (shard_.tensors[i].size_bytes > 0) order.push_back(static_cast<uint32_t>(i));
  }
  const std::vector<GgufTensor>& tensors = shard_.tensors;
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return tensors[a].file_offset < tensors[b].file_offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    const GgufTensor& before = tensors[order[i - 1]];
    const GgufTensor& after = tensors[order[i]];
    if (before.file_offset + before.size_bytes <= after.file_offset) continue;
    return fail(after.file_offset,
                concat("the data of tensors ", quoted(before.name), " and ", quoted(after.name), " overlap"));
  }
  return {};
}

}  // namespace hearth
