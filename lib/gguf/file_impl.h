// What a GgufFile shares between its copies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "lib/io/file_bytes.h"

namespace hearth {

/// Immutable once the GgufFile is made. All views of entries and tensors point into `shards`.
struct GgufFile::Impl {
  std::vector<FileBytes> shards;
  std::vector<std::string> shard_paths;  ///< one a shard; empty strings for memory
  uint32_t version = 0;                  ///< of the first shard, as all below that are not lists of tensors
  uint64_t alignment = 0;
  uint64_t file_bytes = 0;
  bool is_mapped = false;
  std::vector<GgufEntry> entries;
  std::vector<uint32_t> entries_by_key;  ///< indices into entries, sorted by key
  std::vector<GgufTensor> tensors;
  std::vector<uint32_t> tensors_by_name;  ///< indices into tensors, sorted by name
  std::vector<uint64_t> checksums;        ///< of each tensor; empty when a shard has none
};

}  // namespace hearth
