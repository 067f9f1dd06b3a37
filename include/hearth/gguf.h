// GGUF files: a checked, zero-copy view of metadata and tensors, and a streaming writer.
// Format: the GGUF specification of the ggml project (docs/gguf.md), versions 2 and 3, little-endian.
//
//   auto file = hearth::GgufFile::open("model.gguf");
//   if (!file) return fail(file.error());
//   auto arch = file->get_string("general.architecture");      // Result<std::string_view>
//   for (const hearth::GgufTensor& t : file->tensors()) show(t.name, t.dims, t.size_bytes);
//
// Files are hostile input: every count, length, product and offset is checked against the bytes present before it
// is used, and what opening allocates stays in proportion to the file. Bounds of the reader: keys of 65535 bytes,
// tensor names of 255, 2^20 keys, 2^20 tensors, arrays 8 deep, general.alignment a power of two from 8 to 2^24.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth {

/// Element type of a tensor; the numbers are those of the file format. The list of types that this
/// build knows, with their block shapes, is tensor_type_info().
enum class TensorType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
  kQ2_0 = 42,
};

/// Shape of one block of a tensor type: `block_size` elements stored in `block_bytes` bytes.
struct TensorTypeInfo {
  const char* name;      ///< "Q4_K"
  uint32_t block_size;   ///< elements a block; a row's length is a multiple of it
  uint32_t block_bytes;  ///< bytes a block
};

/// Looks a type up; nullptr when the number is not a type of the format.
const TensorTypeInfo* tensor_type_info(TensorType type);

/// Type of a metadata value; the numbers are those of the file format.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// "uint32", "string", ...; "unknown" for other numbers.
const char* gguf_type_name(GgufType type);

/// A metadata value: a view into the file's bytes, valid while the GgufFile lives. Everything it
/// refers to was bounds-checked when the file was opened.
class GgufValue {
 public:
  GgufType type() const { return type_; }
  /// Number of elements of an array (0 for scalars and strings).
  uint64_t size() const { return count_; }
  /// Element type of an array; type() itself otherwise.
  GgufType element_type() const { return element_type_; }

  /// Any integer type, range-checked into 64 bits signed; floats and bools do not convert.
  Result<int64_t> as_int() const;
  /// Any float or integer type.
  Result<double> as_float() const;
  Result<bool> as_bool() const;
  Result<std::string_view> as_string() const;

  /// The whole array, converted with the same rules as the scalars above.
  Result<std::vector<int64_t>> as_int_array() const;
  Result<std::vector<float>> as_float_array() const;
  /// Views into the file; not copied, not necessarily UTF-8.
  Result<std::vector<std::string_view>> as_string_array() const;
  /// Elements of an array of any kind, nested arrays included.
  Result<std::vector<GgufValue>> as_array() const;

  /// Raw bytes of the value as stored, at any alignment: the elements of an array without the array's header,
  /// the characters of a string without its length.
  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  friend class GgufParser;
  GgufType type_ = GgufType::kUint8;
  GgufType element_type_ = GgufType::kUint8;
  uint64_t count_ = 0;
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

struct GgufEntry {
  std::string_view key;
  GgufValue value;
};

/// One tensor: a view into the mapped file. dims[0] is the row length (fastest), as the format has it;
/// unused dims are 1.
struct GgufTensor {
  std::string_view name;
  TensorType type = TensorType::kF32;
  uint32_t n_dims = 0;
  std::array<int64_t, 4> dims{1, 1, 1, 1};
  int64_t n_elements = 0;
  uint64_t size_bytes = 0;
  uint64_t file_offset = 0;         ///< of the data, in its shard
  uint32_t shard = 0;               ///< index into GgufFile::shard_paths()
  const std::byte* data = nullptr;  ///< size_bytes bytes; aligned to 8, and in a file opened by path to 32 or
                                    ///< general.alignment if that is less
};

struct GgufOpenOptions {
  bool use_mmap = true;        ///< false: read the whole file into memory; right for files that may be cut short
                               ///< while they are open, which is fatal under a mapping (SIGBUS)
  bool metadata_only = false;  ///< do not require that tensor data be present (data stays nullptr)
};

/// An opened file (or set of split files). Immutable; copying shares the mapping; all members may be
/// called from any thread. Views stay valid while any copy lives.
class GgufFile {
 public:
  /// Opens and checks a file. A name like `x-00001-of-00003.gguf` opens the whole set. Errors name the file and
  /// the byte offset: kNotFound, kIo, kOutOfMemory, kFormat (the bytes lie), kUnsupported (version, byte order,
  /// tensor type), kLimit (beyond a bound of the reader), kInvalidArgument (not the first file of a set).
  static Result<GgufFile> open(const std::string& path, const GgufOpenOptions& options = {});
  /// Opens a single file that lies in memory; `bytes` must outlive the GgufFile and its copies. Memory that is
  /// not aligned to 8 bytes is copied.
  static Result<GgufFile> from_memory(std::span<const std::byte> bytes, const GgufOpenOptions& options = {});

  uint32_t version() const;
  uint64_t alignment() const;
  /// Total size of all shards, in bytes.
  uint64_t file_bytes() const;
  const std::vector<std::string>& shard_paths() const;
  bool is_mapped() const;

  /// Metadata in file order (of the first shard).
  std::span<const GgufEntry> entries() const;
  /// nullptr when the key is absent.
  const GgufValue* find(std::string_view key) const;

  /// Typed look-ups: kNotFound names the missing key, kFormat names a key of another type.
  Result<int64_t> get_int(std::string_view key) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string_view> get_string(std::string_view key) const;

  std::span<const GgufTensor> tensors() const;
  /// nullptr when there is none of that name.
  const GgufTensor* tensor(std::string_view name) const;

  /// XXH64 (seed 0) of the bytes of tensors()[i] as its writer noted it; nullopt where the file says nothing.
  std::optional<uint64_t> checksum(size_t i) const;
  /// Compares the bytes of tensors()[i] with checksum(i): kFormat names a damaged tensor, kNotFound one without a
  /// checksum, kInvalidArgument an index out of range or a file without data. Reads all bytes of the tensor.
  Status check_tensor(size_t i) const;

  struct Impl;

 private:
  explicit GgufFile(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  friend class GgufParser;
  std::shared_ptr<const Impl> impl_;
};

/// Writes a version-3 file front to back. After an error of a declaration nothing of it is in the file. Nothing is left
/// when the writer is destroyed early or (on Linux) the process ends, by whatever signal; a file beyond the size limit
/// of the process is an error, not the signal SIGXFSZ. Metadata and tensor infos are declared first; then the data of
/// each tensor is streamed in that order. The file appears under its final name only when finish()
/// succeeded; otherwise the temporary beside it is removed.
///
///   auto w = hearth::GgufWriter::create("out.gguf");
///   w->add_string("general.architecture", "llama");
///   w->add_tensor("token_embd.weight", hearth::TensorType::kF32, {256, 1000});
///   w->write_data(bytes); ...   // any chunk sizes; padding between tensors is inserted
///   auto status = w->finish();
class GgufWriter {
 public:
  static Result<GgufWriter> create(const std::string& path, uint32_t alignment = 32);
  GgufWriter(GgufWriter&&) noexcept;
  GgufWriter& operator=(GgufWriter&&) noexcept;
  ~GgufWriter();

  Status add_uint32(std::string_view key, uint32_t value);
  Status add_uint64(std::string_view key, uint64_t value);
  Status add_int32(std::string_view key, int32_t value);
  Status add_float32(std::string_view key, float value);
  Status add_bool(std::string_view key, bool value);
  Status add_string(std::string_view key, std::string_view value);
  Status add_string_array(std::string_view key, std::span<const std::string_view> values);
  Status add_int32_array(std::string_view key, std::span<const int32_t> values);
  Status add_uint32_array(std::string_view key, std::span<const uint32_t> values);
  Status add_uint64_array(std::string_view key, std::span<const uint64_t> values);
  Status add_float32_array(std::string_view key, std::span<const float> values);
  Status add_bool_array(std::string_view key, std::span<const bool> values);
  /// Copies a value of any type, nested arrays included, from another file.
  Status add_value(std::string_view key, const GgufValue& value);

  /// Declares a tensor; `dims` has 1 to 4 entries, row length first; none is 0.
  Status add_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims);
  Status add_tensor(std::string_view name, TensorType type, std::initializer_list<int64_t> dims) {
    return add_tensor(name, type, std::span<const int64_t>(dims.begin(), dims.size()));
  }
  /// The file will tell a checksum of each tensor (GgufFile::checksum). It must not have the key hearth.xxh64 yet.
  Status add_checksums();
  /// Appends bytes of the tensor data. The first call writes the header and ends the declarations.
  Status write_data(std::span<const std::byte> bytes);
  /// Fails when declared data is missing. After success the file is complete under its final name.
  Status finish();

 private:
  struct Impl;
  explicit GgufWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
