// Reads checksums of a file and compares them with its bytes.
#include "lib/gguf/checksums.h"

#include <cstring>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/file_impl.h"

namespace hearth {

void TensorListHash::add(std::string_view name, TensorType type, uint64_t size_bytes) {
  const uint64_t numbers[3] = {name.size(), static_cast<uint64_t>(type), size_bytes};
  hash_.update(std::as_bytes(std::span(numbers)));
  hash_.update(std::as_bytes(std::span(name.data(), name.size())));
}

std::vector<uint64_t> read_checksums(const GgufValue* value, std::span<const GgufTensor> tensors) {
  std::vector<uint64_t> sums;
  if (value == nullptr || value->type() != GgufType::kArray || value->element_type() != GgufType::kUint64) return sums;
  if (value->size() != tensors.size() + 1) return sums;
  TensorListHash list;
  for (const GgufTensor& tensor : tensors) list.add(tensor.name, tensor.type, tensor.size_bytes);
  uint64_t noted = 0;
  std::memcpy(&noted, value->bytes().data(), sizeof(noted));
  if (noted != list.digest()) return sums;
  sums.resize(tensors.size());
  if (!sums.empty()) std::memcpy(sums.data(), value->bytes().data() + sizeof(noted), sums.size() * sizeof(noted));
  return sums;
}

std::optional<uint64_t> GgufFile::checksum(size_t i) const {
  if (i >= impl_->checksums.size()) return std::nullopt;
  return impl_->checksums[i];
}

Status GgufFile::check_tensor(size_t i) const {
  return guard([&]() -> Status {
    if (i >= impl_->tensors.size()) {
      return Error{ErrorCode::kInvalidArgument, concat("tensor ", i, " of ", impl_->tensors.size(), " does not exist")};
    }
    const GgufTensor& tensor = impl_->tensors[i];
    const std::optional<uint64_t> noted = checksum(i);
    if (!noted) return Error{ErrorCode::kNotFound, concat("tensor ", quoted(tensor.name), " has no checksum")};
    if (tensor.data == nullptr) {
      return Error{ErrorCode::kInvalidArgument,
                   concat("tensor ", quoted(tensor.name), ": the file was opened without data")};
    }
    if (xxh64({tensor.data, static_cast<size_t>(tensor.size_bytes)}) == *noted) return {};
    const std::string& path = impl_->shard_paths[tensor.shard];
    return Error{ErrorCode::kFormat,
                 concat((path.empty() ? "memory" : path), ": tensor ", quoted(tensor.name), " is damaged: its ",
                        tensor.size_bytes, " bytes at offset ", tensor.file_offset, " do not have the checksum in key ",
                        quoted(kChecksumKey))};
  });
}

}  // namespace hearth
