// GgufFile::open and from_memory: reads one file, or all files of a split set, into one GgufFile.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/checksums.h"
#include "lib/gguf/file_impl.h"
#include "lib/gguf/limits.h"
#include "lib/gguf/name_index.h"
#include "lib/gguf/parser.h"
#include "lib/gguf/shard_name.h"

namespace hearth {
namespace {

/// Reads an integer key of the split; the default when it is absent.
Result<int64_t> split_key(const GgufShard& shard, std::string_view key, int64_t when_absent, const std::string& path) {
  const GgufEntry* entry = find_by_name(shard.entries, shard.entries_by_key, &GgufEntry::key, key);
  if (entry == nullptr) return when_absent;
  Result<int64_t> value = entry->value.as_int();
  if (value) return value;
  return Error{value.error().code, concat(path, ": key ", quoted(key), " ", value.error().message)};
}

/// How messages call a file: its path, or "memory".
std::string label_of(const std::string& path) {
  return path.empty() ? "memory" : path;
}

/// Collects parsed files into one GgufFile::Impl.
class Opener {
 public:
  explicit Opener(const GgufOpenOptions& options) : options_(options), impl_(std::make_shared<GgufFile::Impl>()) {}

  Result<GgufFile> open(const std::string& path) {
    Result<FileBytes> bytes = read(path);
    if (!bytes) return bytes.error();
    if (Status s = add_first(*std::move(bytes), path); !s) return s.error();
    if (Status s = add_others(path); !s) return s.error();
    return finish();
  }

  Result<GgufFile> from_memory(FileBytes bytes) {
    if (Status s = add_first(std::move(bytes), ""); !s) return s.error();
    if (n_shards_ != 1) {
      return Error{ErrorCode::kUnsupported,
                   concat("memory: key 'split.count' is ", n_shards_, ": split files cannot be opened from memory")};
    }
    return finish();
  }

 private:
  /// The bytes of a file; without a mapping, when tensor data is not wanted, as many from its beginning as metadata and
  /// tensor infos take.
  Result<FileBytes> read(const std::string& path) const {
    if (options_.use_mmap || !options_.metadata_only) return FileBytes::open(path, options_.use_mmap);
    for (uint64_t n = uint64_t{1} << 20;; n *= 4) {
      uint64_t file_bytes = 0;
      Result<FileBytes> head = FileBytes::read_head(path, n, &file_bytes);
      if (!head || head->size() == file_bytes || parse(*head, path)) return head;
    }
  }

  Status add_first(FileBytes bytes, const std::string& path) {
    const std::string label = label_of(path);
    Result<GgufShard> shard = parse(bytes, label);
    if (!shard) return shard.error();
    const Result<int64_t> count = split_key(*shard, "split.count", 1, label);
    if (!count) return count.error();
    if (*count < 0 || *count > static_cast<int64_t>(gguf_limits::kMaxShards)) {
      return Error{ErrorCode::kFormat, concat(label, ": key 'split.count' is ", *count)};
    }
    n_shards_ = *count < 1 ? 1 : static_cast<uint32_t>(*count);
    const Result<int64_t> total = split_key(*shard, "split.tensors.count", -1, label);
    if (!total) return total.error();
    n_tensors_ = *total;
    if (Status s = check_number(*shard, label, 0); !s) return s;
    impl_->version = shard->version;
    impl_->alignment = shard->alignment;
    impl_->is_mapped = bytes.is_mapped();
    impl_->entries = std::move(shard->entries);
    impl_->entries_by_key = std::move(shard->entries_by_key);
    note_checksums(impl_->entries, impl_->entries_by_key, shard->tensors);
    return keep(std::move(bytes), std::move(shard->tensors), path);
  }

  /// The metadata says whether a file is one of several, whatever its name; the others are found by the name.
  Status add_others(const std::string& path) {
    if (n_shards_ == 1) return {};
    const std::optional<ShardName> name = parse_shard_name(path);
    const uint32_t named = name ? name->count : 1;
    if (named != n_shards_) {
      return Error{ErrorCode::kFormat,
                   concat(path, ": the name says ", named, " split files, key 'split.count' says ", n_shards_)};
    }
    for (uint32_t i = 1; i < n_shards_; ++i) {
      const std::string next = make_shard_name(name->prefix, i + 1, n_shards_);
      if (Status s = add_shard(next, i); !s) return s;
    }
    if (n_tensors_ >= 0 && static_cast<uint64_t>(n_tensors_) != impl_->tensors.size()) {
      return Error{ErrorCode::kFormat, concat(path, ": key 'split.tensors.count' is ", n_tensors_,
                                              ", but the files hold ", impl_->tensors.size(), " tensors")};
    }
    return {};
  }

  Status add_shard(const std::string& path, uint32_t index) {
    Result<FileBytes> bytes = read(path);
    if (!bytes) return bytes.error();
    Result<GgufShard> shard = parse(*bytes, path);
    if (!shard) return shard.error();
    if (Status s = check_number(*shard, path, index); !s) return s;
    const Result<int64_t> count = split_key(*shard, "split.count", 1, path);
    if (!count) return count.error();
    if (*count != n_shards_) {
      return Error{ErrorCode::kFormat,
                   concat(path, ": key 'split.count' is ", *count, ", in the first file ", n_shards_)};
    }
    if (!bytes->is_mapped()) impl_->is_mapped = false;
    note_checksums(shard->entries, shard->entries_by_key, shard->tensors);
    return keep(*std::move(bytes), std::move(shard->tensors), path);
  }

  /// Those of a set count when every file has them.
  void note_checksums(const std::vector<GgufEntry>& entries, const std::vector<uint32_t>& by_key,
                      const std::vector<GgufTensor>& tensors) {
    const GgufEntry* entry = find_by_name(entries, by_key, &GgufEntry::key, kChecksumKey);
    const std::vector<uint64_t> sums = read_checksums(entry != nullptr ? &entry->value : nullptr, tensors);
    if (sums.size() != tensors.size()) all_have_checksums_ = false;
    impl_->checksums.insert(impl_->checksums.end(), sums.begin(), sums.end());
  }

  Status check_number(const GgufShard& shard, const std::string& label, uint32_t index) const {
    const Result<int64_t> number = split_key(shard, "split.no", n_shards_ > 1 ? -1 : 0, label);
    if (!number) return number.error();
    if (*number == index) return {};
    if (index == 0 && *number > 0 && *number < n_shards_) {
      return Error{ErrorCode::kInvalidArgument,
                   concat(label, ": is file ", *number + 1, " of ", n_shards_, " split files; open the first")};
    }
    return Error{ErrorCode::kFormat, concat(label, ": key 'split.no' is ",
                                            (*number < 0 ? "missing" : std::to_string(*number)), ", expected ", index)};
  }

  Result<GgufShard> parse(const FileBytes& bytes, const std::string& label) const {
    const auto index = static_cast<uint32_t>(impl_->shards.size());
    return GgufParser(bytes.bytes(), label, index, options_.metadata_only).parse();
  }

  Status keep(FileBytes bytes, std::vector<GgufTensor> tensors, const std::string& path) {
    if (impl_->tensors.size() + tensors.size() > gguf_limits::kMaxTensors) {
      return Error{ErrorCode::kLimit, path + ": the split files hold more tensors than the limit"};
    }
    impl_->file_bytes += bytes.size();
    impl_->shards.push_back(std::move(bytes));
    impl_->shard_paths.push_back(path);
    impl_->tensors.insert(impl_->tensors.end(), tensors.begin(), tensors.end());
    return {};
  }

  Result<GgufFile> finish() {
    if (!all_have_checksums_) impl_->checksums.clear();
    impl_->tensors_by_name = index_by_name(impl_->tensors, &GgufTensor::name);
    const GgufTensor* twice = find_duplicate(impl_->tensors, impl_->tensors_by_name, &GgufTensor::name);
    if (twice != nullptr) {
      return Error{ErrorCode::kFormat,
                   concat(label_of(impl_->shard_paths[twice->shard]), ": tensor ", quoted(twice->name),
                          " occurs twice (data at offset ", twice->file_offset, ")")};
    }
    return GgufParser::make_file(std::move(impl_));
  }

  GgufOpenOptions options_;
  std::shared_ptr<GgufFile::Impl> impl_;
  uint32_t n_shards_ = 1;
  bool all_have_checksums_ = true;
  int64_t n_tensors_ = -1;  ///< split.tensors.count; -1 when absent
};

}  // namespace

Result<GgufFile> GgufFile::open(const std::string& path, const GgufOpenOptions& options) {
  return guard([&] { return Opener(options).open(path); });
}

Result<GgufFile> GgufFile::from_memory(std::span<const std::byte> bytes, const GgufOpenOptions& options) {
  return guard([&]() -> Result<GgufFile> {
    // Tensors promise the alignment of the format; a buffer that begins elsewhere is copied once.
    const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % gguf_limits::kMinAlignment == 0;
    if (aligned || options.metadata_only) return Opener(options).from_memory(FileBytes::borrow(bytes));
    Result<FileBytes> copy = FileBytes::copy_of(bytes);
    if (!copy) return copy.error();
    return Opener(options).from_memory(*std::move(copy));
  });
}

}  // namespace hearth
