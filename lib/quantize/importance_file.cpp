// Files of importance matrices: the GGUF form of llama.cpp's llama-imatrix (tensors NAME.in_sum2 and NAME.counts), and
// the older one, which has neither a magic number nor shapes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "hearth/gguf.h"
#include "hearth/importance_matrix.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/cursor.h"
#include "lib/io/file_bytes.h"

namespace hearth {
namespace {

constexpr std::string_view kSumsSuffix = ".in_sum2";
constexpr std::string_view kCountsSuffix = ".counts";
constexpr int64_t kUsualChunkSize = 512;

Error malformed_importance(const std::string& label, const std::string& what) {
  return Error{ErrorCode::kFormat, concat(label, ": ", what)};
}

void copy_floats(std::vector<float>& out, const std::byte* from, uint64_t n) {
  out.resize(static_cast<size_t>(n));
  if (n > 0) std::memcpy(out.data(), from, static_cast<size_t>(n) * sizeof(float));
}

bool in_bounds(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v) && v >= 0; });
}

using Entries = std::vector<ImportanceMatrix::Entry>;

}  // namespace

/// Collects what a file holds.
struct ImportanceReader {
  explicit ImportanceReader(std::string where) : label(std::move(where)) {}

  /// Sorts first, so that every entry goes to the end.
  Result<ImportanceMatrix> finish() {
    if (entries.empty()) return malformed_importance(label, "holds no importance of any tensor");
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0 && entries[i].name == entries[i - 1].name) {
        return malformed_importance(label, concat("tensor ", quoted(entries[i].name), " occurs twice"));
      }
    }
    for (ImportanceMatrix::Entry& entry : entries) {
      if (Status s = matrix.check(entry); !s) return malformed_importance(label, s.error().message);
      matrix.insert(std::move(entry));
    }
    return std::move(matrix);
  }

  Status read_gguf(const GgufFile& file);
  Status read_tensor(const GgufFile& file, const GgufTensor& sums);
  Status read_older(std::span<const std::byte> bytes);
  Status read_older_entry(Cursor& cursor);
  void read_older_end(Cursor& cursor);

  std::string label;
  Entries entries;
  ImportanceMatrix matrix;
};

Status ImportanceReader::read_tensor(const GgufFile& file, const GgufTensor& sums) {
  const std::string_view name = sums.name.substr(0, sums.name.size() - kSumsSuffix.size());
  const GgufTensor* counts = file.tensor(concat(name, kCountsSuffix));
  if (counts == nullptr) {
    return malformed_importance(label, concat("tensor ", quoted(sums.name), " has no counts beside it"));
  }
  if (sums.type != TensorType::kF32 || counts->type != TensorType::kF32) {
    return malformed_importance(label, concat("tensor ", quoted(sums.name), " or its counts is not of type F32"));
  }
  if (sums.n_elements == 0 || counts->n_elements == 0 || sums.n_elements % counts->n_elements != 0) {
    return malformed_importance(label, concat("tensor ", quoted(sums.name), " of ", sums.n_elements, " sums has ",
                                              counts->n_elements, " counts"));
  }
  ImportanceMatrix::Entry entry;
  entry.name = name;
  copy_floats(entry.sums, sums.data, static_cast<uint64_t>(sums.n_elements));
  copy_floats(entry.counts, counts->data, static_cast<uint64_t>(counts->n_elements));
  if (!in_bounds(entry.sums) || !in_bounds(entry.counts)) {
    return malformed_importance(label, concat("tensor ", quoted(sums.name), " (offset ", sums.file_offset,
                                              ") or its counts: a value is negative or not finite"));
  }
  entries.push_back(std::move(entry));
  return {};
}

Status ImportanceReader::read_gguf(const GgufFile& file) {
  const Result<std::string_view> type = file.get_string("general.type");
  if (!type || *type != "imatrix") {
    return malformed_importance(label, "is not an importance matrix: key 'general.type' is not \"imatrix\"");
  }
  if (const GgufValue* names = file.find("imatrix.datasets")) {
    const auto list = names->as_string_array();
    if (!list) return malformed_importance(label, "key 'imatrix.datasets' " + list.error().message);
    matrix.datasets.assign(list->begin(), list->end());
  }
  for (const auto& [key, value] :
       {std::pair{"imatrix.chunk_count", &matrix.n_chunks}, std::pair{"imatrix.chunk_size", &matrix.chunk_size}}) {
    if (file.find(key) == nullptr) continue;
    const Result<int64_t> number = file.get_int(key);
    if (!number) return malformed_importance(label, number.error().message);
    if (*number < 0 || *number > std::numeric_limits<int32_t>::max()) {
      return malformed_importance(label, concat("key ", quoted(key), " is ", *number));
    }
    *value = *number;
  }
  if (matrix.chunk_size == 0) matrix.chunk_size = kUsualChunkSize;
  for (const GgufTensor& tensor : file.tensors()) {
    if (!tensor.name.ends_with(kSumsSuffix)) continue;
    if (Status s = read_tensor(file, tensor); !s) return s;
  }
  return {};
}

/// int32 length, name, int32 number of calls, int32 number of values, the values: mean squares times the calls.
Status ImportanceReader::read_older_entry(Cursor& cursor) {
  const std::string at = concat(" at offset ", cursor.offset());
  int32_t length = 0, n_calls = 0, n_values = 0;
  const bool has_name = cursor.read(length) && length > 0 && static_cast<uint64_t>(length) <= cursor.remaining();
  if (!has_name)
    return malformed_importance(label, concat("the entry", at, " has no name (neither GGUF nor the older form?)"));
  ImportanceMatrix::Entry entry;
  entry.name.assign(reinterpret_cast<const char*>(cursor.here()), static_cast<size_t>(length));
  (void)cursor.skip(static_cast<uint64_t>(length));
  const bool fits = cursor.read(n_calls) && cursor.read(n_values) && n_values > 0 &&
                    static_cast<uint64_t>(n_values) <= cursor.remaining() / sizeof(float);
  if (!fits)
    return malformed_importance(label, concat("tensor ", quoted(entry.name), at, ": its values are not in the file"));
  copy_floats(entry.sums, cursor.here(), static_cast<uint64_t>(n_values));
  (void)cursor.skip(static_cast<uint64_t>(n_values) * sizeof(float));
  if (!in_bounds(entry.sums)) {
    return malformed_importance(label,
                                concat("tensor ", quoted(entry.name), at, ": a value is negative or not finite"));
  }
  entry.counts.assign(1, static_cast<float>(std::max(n_calls, 1)));
  entries.push_back(std::move(entry));
  return {};
}

/// The number of chunks and the name of the text; both may be absent.
void ImportanceReader::read_older_end(Cursor& cursor) {
  int32_t n_chunks = 0, length = 0;
  if (!cursor.read(n_chunks)) return;
  matrix.n_chunks = std::max(n_chunks, 0);
  if (!cursor.read(length) || length <= 0 || static_cast<uint64_t>(length) > cursor.remaining()) return;
  matrix.datasets.emplace_back(reinterpret_cast<const char*>(cursor.here()), static_cast<size_t>(length));
}

Status ImportanceReader::read_older(std::span<const std::byte> bytes) {
  Cursor cursor(bytes);
  int32_t n_entries = 0;
  if (!cursor.read(n_entries) || n_entries <= 0) {
    return malformed_importance(label, "is no importance matrix, neither GGUF nor the older form");
  }
  for (int32_t i = 0; i < n_entries; ++i) {
    if (Status s = read_older_entry(cursor); !s) return s;
  }
  read_older_end(cursor);
  return {};
}

namespace {

Result<ImportanceMatrix> read_importance(std::span<const std::byte> bytes, const std::string& label) {
  ImportanceReader reader(label);
  if (bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0) {
    const Result<GgufFile> file = GgufFile::from_memory(bytes);
    if (!file) return Error{file.error().code, concat(label, ": ", file.error().message)};
    if (Status s = reader.read_gguf(*file); !s) return s.error();
  } else if (Status s = reader.read_older(bytes); !s) {
    return s.error();
  }
  return reader.finish();
}

std::vector<int64_t> dims_of_sums(const ImportanceMatrix::Entry& entry) {
  const auto n_counts = static_cast<int64_t>(entry.counts.size());
  std::vector<int64_t> dims = {static_cast<int64_t>(entry.sums.size()) / n_counts};
  if (n_counts > 1) dims.push_back(n_counts);
  return dims;
}

std::vector<int64_t> dims_of_counts(const ImportanceMatrix::Entry& entry) {
  std::vector<int64_t> dims = {1};
  if (entry.counts.size() > 1) dims.push_back(static_cast<int64_t>(entry.counts.size()));
  return dims;
}

Status declare_importance(GgufWriter& out, const ImportanceMatrix& matrix, int64_t chunk_size) {
  const std::vector<std::string_view> names(matrix.datasets.begin(), matrix.datasets.end());
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (Status s = out.add_string("general.type", "imatrix"); !s) return s;
  if (Status s = out.add_string_array("imatrix.datasets", names); !s) return s;
  if (Status s = out.add_uint32("imatrix.chunk_count", static_cast<uint32_t>(std::min(matrix.n_chunks, most))); !s) {
    return s;
  }
  if (Status s = out.add_uint32("imatrix.chunk_size", static_cast<uint32_t>(std::min(chunk_size, most))); !s) return s;
  for (const ImportanceMatrix::Entry& entry : matrix.entries()) {
    const auto sums = dims_of_sums(entry), counts = dims_of_counts(entry);
    if (Status s = out.add_tensor(concat(entry.name, kSumsSuffix), TensorType::kF32, sums); !s) return s;
    if (Status s = out.add_tensor(concat(entry.name, kCountsSuffix), TensorType::kF32, counts); !s) return s;
  }
  return {};
}

}  // namespace

Result<ImportanceMatrix> ImportanceMatrix::read(const std::string& path) {
  return guard([&]() -> Result<ImportanceMatrix> {
    const Result<FileBytes> file = FileBytes::open(path, /*use_mmap=*/false);
    if (!file) return file.error();
    return read_importance(file->bytes(), path);
  });
}

Result<ImportanceMatrix> ImportanceMatrix::from_memory(std::span<const std::byte> bytes) {
  return guard([&] { return read_importance(bytes, "memory"); });
}

Status ImportanceMatrix::write(const std::string& path) const {
  return guard([&]() -> Status {
    if (entries_.empty()) return Error{ErrorCode::kInvalidArgument, path + ": an importance matrix without entries"};
    ImportanceMatrix counted;  // in tokens, as the GGUF form counts
    const ImportanceMatrix* matrix = this;
    if (chunk_size == 0) {
      counted.chunk_size = kUsualChunkSize;
      if (Status s = counted.merge(*this); !s) return s;
      matrix = &counted;
    }
    Result<GgufWriter> out = GgufWriter::create(path);
    if (!out) return out.error();
    if (Status s = declare_importance(*out, *matrix, matrix->chunk_size); !s) return s;
    for (const Entry& entry : matrix->entries_) {
      if (Status s = out->write_data(std::as_bytes(std::span(entry.sums))); !s) return s;
      if (Status s = out->write_data(std::as_bytes(std::span(entry.counts))); !s) return s;
    }
    return out->finish();
  });
}

}  // namespace hearth
