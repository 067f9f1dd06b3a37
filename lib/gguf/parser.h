// From the bytes of GGUF files to checked views. Nothing that a file claims is used before it is checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "lib/gguf/cursor.h"
#include "lib/gguf/file_impl.h"
#include "lib/gguf/value_walk.h"

namespace hearth {

/// One file: header, metadata, tensor infos. Views into the parsed bytes.
struct GgufShard {
  uint32_t version = 0;
  uint64_t alignment = 0;
  uint64_t data_offset = 0;  ///< where tensor data begins
  std::vector<GgufEntry> entries;
  std::vector<uint32_t> entries_by_key;
  std::vector<GgufTensor> tensors;
};

/// Parses one file front to back. Errors begin with the label ("model.gguf: ...") and name the key or tensor and
/// the byte offset.
class GgufParser {
 public:
  /// `shard` is stored in the tensors. metadata_only leaves their data nullptr and does not require it to be there.
  GgufParser(std::span<const std::byte> bytes, std::string label, uint32_t shard, bool metadata_only)
      : bytes_(bytes), cursor_(bytes), label_(std::move(label)), shard_index_(shard), metadata_only_(metadata_only) {}

  Result<GgufShard> parse();

  /// Reads one value of a type known to be valid. `depth` is the number of arrays around it.
  static bool read_value(Cursor& cursor, GgufType type, int depth, GgufValue& value, WalkProblem& problem);
  static GgufFile make_file(std::shared_ptr<const GgufFile::Impl> impl) { return GgufFile(std::move(impl)); }

 private:
  Status parse_header();
  Status parse_entries();
  Status parse_entry();
  Status index_entries();
  Status find_alignment();
  Status parse_tensors();
  Status parse_tensor();
  Status parse_shape(GgufTensor& tensor, const std::string& name);
  Status place_tensors();
  Status check_overlap();
  Error fail(uint64_t offset, const std::string& what, ErrorCode code = ErrorCode::kFormat) const;
  /// Reads a key or tensor name: not empty, no NUL, at most max_bytes.
  Status read_name(const std::string& what, uint64_t max_bytes, std::string_view& name);

  std::span<const std::byte> bytes_;
  Cursor cursor_;
  std::string label_;
  uint32_t shard_index_;
  bool metadata_only_;
  uint64_t n_entries_ = 0;
  uint64_t n_tensors_ = 0;
  GgufShard shard_;
};

}  // namespace hearth
