// safetensors: files of named arrays (uint64 length of a JSON header, the header, data), one or several with an index.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/io/file_reader.h"

namespace hearth {

/// An array in a file, rows contiguous: the last dimension runs fastest.
struct SafeTensor {
  std::string name;
  std::string dtype;           ///< "BF16"
  std::vector<int64_t> shape;  ///< each >= 0; empty for a scalar
  uint64_t n_elements = 1;
  uint64_t size_bytes = 0;
  uint64_t offset = 0;  ///< in its file
  size_t file = 0;

  /// kF32, kF16 or kBF16; nullptr for other types, which models have only beside their weights.
  const TensorTypeInfo* float_type() const;
  TensorType type() const;
};

/// Header of one file whose size is `file_bytes`: every offset, shape and size checked. Errors name the tensor
/// (kFormat). Offsets are those in the file; `header` is the JSON after the length.
Result<std::vector<SafeTensor>> parse_safetensors_header(std::string_view header, uint64_t file_bytes);

class Safetensors {
 public:
  /// A single file, or all that `BASE.safetensors.index.json` of a folder lists, or BASE.safetensors there.
  static Result<Safetensors> open_file(const std::string& path);
  static Result<Safetensors> open_folder(const std::string& folder, const std::string& base);

  std::span<const SafeTensor> tensors() const { return tensors_; }
  uint64_t total_bytes() const;
  /// Bytes [begin, begin + out.size()) of a tensor.
  Status read(const SafeTensor& tensor, uint64_t begin, std::span<std::byte> out) const;
  /// kIo when a file is no longer what it was when it was opened.
  Status check_unchanged() const;

 private:
  Status add_file(const std::string& path);
  Status check_names();

  std::vector<FileReader> files_;
  std::vector<std::string> paths_;   ///< of each
  std::vector<SafeTensor> tensors_;  ///< sorted by name
};

bool is_folder(const std::string& path);
/// A whole small file (kLimit above 256 MiB). kNotFound when there is none.
Result<std::string> read_whole_file(const std::string& path);

}  // namespace hearth
