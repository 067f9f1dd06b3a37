// Writing the output: metadata, tensors one after the other, in one file or several.
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/quote.h"
#include "lib/gguf/checksums.h"
#include "lib/gguf/shard_name.h"
#include "lib/quantize/quantizer_impl.h"

namespace hearth {
namespace {

constexpr size_t kCopyBytes = size_t{4} << 20;

/// Keys of the source that the output has anew, or not at all.
bool is_replaced(std::string_view key, bool types_change) {
  if (key.starts_with("split.") || key == kChecksumKey) return true;
  if (!types_change) return false;
  return key == "general.file_type" || key == "general.quantization_version" || key.starts_with("quantize.imatrix.");
}

/// Numbers of 16 bits are what programs expect in the keys of split files, and there alone: the value is taken from a
/// file of this one key.
Status add_uint16(GgufWriter& writer, std::string_view key, size_t number) {
  std::string bytes = "GGUF";
  const auto put = [&bytes](uint64_t value, int n) {
    for (int i = 0; i < n; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(3, 4);
  put(0, 8);  // tensors
  put(1, 8);  // keys
  put(1, 8);
  bytes += 'n';
  put(static_cast<uint64_t>(GgufType::kUint16), 4);
  put(number, 2);
  const Result<GgufFile> file = GgufFile::from_memory(std::as_bytes(std::span(bytes)), {.metadata_only = true});
  return file ? writer.add_value(key, file->entries()[0].value) : Status(file.error());
}

/// What was done, in the keys that llama.cpp writes.
Status add_imatrix_keys(GgufWriter& writer, const QuantizeOptions& options) {
  const ImportanceMatrix& importance = *options.importance;
  std::string datasets;
  for (const std::string& one : importance.datasets) datasets += (datasets.empty() ? "" : ", ") + one;
  Status s = writer.add_string("quantize.imatrix.file", options.importance_file);
  if (s && !datasets.empty()) s = writer.add_string("quantize.imatrix.dataset", datasets);
  if (s) s = writer.add_uint32("quantize.imatrix.entries_count", static_cast<uint32_t>(importance.entries().size()));
  if (s && importance.n_chunks > 0) {
    s = writer.add_uint32("quantize.imatrix.chunks_count", static_cast<uint32_t>(importance.n_chunks));
  }
  return s;
}

}  // namespace

/// A run of Quantizer: which tensors go to which file, and the files while they are written.
class OutputWriter {
 public:
  OutputWriter(Quantizer::Impl& impl, std::string path) : impl_(impl), path_(std::move(path)) {}

  Result<QuantizeReport> write() {
    const Clock::time_point start = Clock::now();
    plan_shards();
    for (size_t shard = 0; shard < first_.size(); ++shard) {
      if (Status s = declare(shard); !s) return s.error();
    }
    Result<RowEncoder> encoder = RowEncoder::create(impl_.n_threads(), impl_.options.pool);
    if (!encoder) return encoder.error();
    for (const TensorPlan& p : impl_.plan) total_bytes_ += p.source_bytes;
    for (size_t i = 0; i < impl_.plan.size(); ++i) {
      if (Status s = write_tensor(i, *encoder); !s) return s.error();
    }
    for (const FileReader& source : impl_.sources) {
      if (Status s = source.check_unchanged(); !s) return s.error();
    }
    if (Status s = finish(); !s) return s.error();
    report_.seconds = seconds_since(start);
    return std::move(report_);
  }

 private:
  void plan_shards() {
    first_.push_back(0);
    uint64_t bytes = 0;
    for (size_t i = 0; i < impl_.plan.size(); ++i) {
      const uint64_t own = impl_.plan[i].target_bytes;
      if (impl_.options.split_bytes > 0 && bytes > 0 && bytes + own > impl_.options.split_bytes) {
        first_.push_back(i);
        bytes = 0;
      }
      bytes += own;
    }
  }

  size_t end_of(size_t shard) const { return shard + 1 < first_.size() ? first_[shard + 1] : impl_.plan.size(); }

  std::string path_of(size_t shard) const {
    if (impl_.options.split_bytes == 0) return path_;
    const std::string_view suffix = ".gguf";
    std::string prefix = path_;
    if (prefix.ends_with(suffix)) prefix.resize(prefix.size() - suffix.size());
    return make_shard_name(prefix, static_cast<uint32_t>(shard + 1), static_cast<uint32_t>(first_.size()));
  }

  Status declare(size_t shard) {
    const auto alignment = static_cast<uint32_t>(impl_.file.alignment());
    Result<GgufWriter> writer = GgufWriter::create(path_of(shard), alignment);
    if (!writer) return writer.error();
    if (shard == 0) {
      if (Status s = add_metadata(*writer); !s) return s;
    }
    if (impl_.options.split_bytes > 0) {
      if (Status s = add_split_keys(*writer, shard); !s) return s;
    }
    if (Status s = writer->add_checksums(); !s) return s;
    for (size_t i = first_[shard]; i < end_of(shard); ++i) {
      const TensorPlan& p = impl_.plan[i];
      if (Status s = writer->add_tensor(p.name, p.target, std::span(p.dims).first(p.n_dims)); !s) return s;
    }
    writers_.push_back(*std::move(writer));
    return {};
  }

  Status add_metadata(GgufWriter& writer) {
    const bool types_change = impl_.mix != nullptr;
    for (const GgufEntry& entry : impl_.file.entries()) {
      if (is_replaced(entry.key, types_change)) continue;
      if (Status s = writer.add_value(entry.key, entry.value); !s) return s;
    }
    if (!types_change) return {};
    if (Status s = writer.add_uint32("general.quantization_version", 2); !s) return s;
    if (Status s = writer.add_uint32("general.file_type", impl_.mix->file_type); !s) return s;
    return impl_.options.importance != nullptr ? add_imatrix_keys(writer, impl_.options) : Status();
  }

  Status add_split_keys(GgufWriter& writer, size_t shard) {
    Status s = add_uint16(writer, "split.no", shard);
    if (s) s = add_uint16(writer, "split.count", first_.size());
    if (s) s = writer.add_int32("split.tensors.count", static_cast<int32_t>(impl_.plan.size()));
    return s;
  }

  Status write_tensor(size_t i, RowEncoder& encoder) {
    const GgufTensor& tensor = *impl_.tensors[i];
    const TensorPlan& p = impl_.plan[i];
    while (current_ + 1 < first_.size() && i >= first_[current_ + 1]) ++current_;
    uint64_t written = 0;
    const auto write = [&](std::span<const std::byte> bytes) -> Status {
      if (Status s = writers_[current_].write_data(bytes); !s) return s;
      written += bytes.size();
      const double share = static_cast<double>(written) / static_cast<double>(p.target_bytes);
      return report_progress(i, share * static_cast<double>(p.source_bytes));
    };
    const Status s = p.source == p.target ? copy(tensor, write)
                                          : encoder.encode(tensor, p.target, impl_.importance_for(tensor),
                                                           impl_.reader_of(tensor), write);
    done_bytes_ += p.source_bytes;
    return s;
  }

  template <typename Write>
  Status copy(const GgufTensor& tensor, const Write& write) {
    const ReadBytes read = impl_.reader_of(tensor);
    for (uint64_t at = 0; at < tensor.size_bytes; at += copied_.size()) {
      copied_.resize(static_cast<size_t>(std::min<uint64_t>(kCopyBytes, tensor.size_bytes - at)));
      if (Status s = read(at, copied_); !s) return s;
      if (Status s = write(copied_); !s) return s;
    }
    return {};
  }

  Status report_progress(size_t i, double of_tensor) {
    if (!impl_.options.progress) return {};
    const QuantizeProgress progress{impl_.plan[i].name, i, impl_.plan.size(),
                                    done_bytes_ + static_cast<uint64_t>(of_tensor), total_bytes_};
    if (impl_.options.progress(progress)) return {};
    return Error{ErrorCode::kCancelled, "cancelled at tensor " + quote(impl_.plan[i].name)};
  }

  /// Files get their names when all of them are complete; after an error none of those written now stays.
  Status finish() {
    for (size_t shard = 0; shard < writers_.size(); ++shard) {
      const std::string path = path_of(shard);
      if (Status s = writers_[shard].finish(); !s) {
        for (const std::string& done : report_.paths) std::remove(done.c_str());
        return s;
      }
      report_.paths.push_back(path);
      const Result<FileReader> written = FileReader::open(path);
      if (written) report_.file_bytes += written->size();
    }
    return {};
  }

  Quantizer::Impl& impl_;
  std::string path_;
  std::vector<size_t> first_;  ///< tensor that each file begins with
  std::vector<GgufWriter> writers_;
  size_t current_ = 0;  ///< file being written
  std::vector<std::byte> copied_;
  uint64_t done_bytes_ = 0, total_bytes_ = 0;
  QuantizeReport report_;
};

Result<QuantizeReport> Quantizer::Impl::write(const std::string& path) {
  return OutputWriter(*this, path).write();
}

}  // namespace hearth
