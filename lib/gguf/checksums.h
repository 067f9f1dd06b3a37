// Checksums of tensors, and where files note them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "lib/base/xxh64.h"

namespace hearth {

/// An array of uint64: first a hash of what the file says of its tensors (names, types, sizes, in order), then XXH64
/// (seed 0) of the bytes of each tensor of the same file; in a split set each file has its own. Programs that do not
/// know the key pass over it; when they copy it into a file with other tensors, the first number tells.
inline constexpr std::string_view kChecksumKey = "hearth.xxh64";

/// The first number of the array, from the tensors in order.
class TensorListHash {
 public:
  void add(std::string_view name, TensorType type, uint64_t size_bytes);
  uint64_t digest() const { return hash_.digest(); }

 private:
  Xxh64 hash_;
};

/// The checksums that `value`, that of kChecksumKey or nullptr, holds for the tensors of its file; empty when there are
/// none or they are those of other tensors.
std::vector<uint64_t> read_checksums(const GgufValue* value, std::span<const GgufTensor> tensors);

}  // namespace hearth
