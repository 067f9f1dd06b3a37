// Reading of safetensors headers and of indices over several files.
#include "lib/convert/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/io/system.h"
#include "lib/json/document.h"

namespace hearth {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // of the format
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 28;
constexpr size_t kMaxDims = 8;

constexpr struct {
  std::string_view name;
  uint64_t bytes;
  TensorType type;
  bool is_weight;
} kDtypes[] = {
    {"F32", 4, TensorType::kF32, true},  {"F16", 2, TensorType::kF16, true},     {"BF16", 2, TensorType::kBF16, true},
    {"F64", 8, TensorType::kF64, false}, {"I64", 8, TensorType::kI64, false},    {"I32", 4, TensorType::kI32, false},
    {"I16", 2, TensorType::kI16, false}, {"I8", 1, TensorType::kI8, false},      {"U64", 8, TensorType::kI64, false},
    {"U32", 4, TensorType::kI32, false}, {"U16", 2, TensorType::kI16, false},    {"U8", 1, TensorType::kI8, false},
    {"BOOL", 1, TensorType::kI8, false}, {"F8_E4M3", 1, TensorType::kI8, false}, {"F8_E5M2", 1, TensorType::kI8, false},
};

const auto* find_dtype(std::string_view name) {
  for (const auto& row : kDtypes) {
    if (row.name == name) return &row;
  }
  return static_cast<decltype(&kDtypes[0])>(nullptr);
}

Error wrong_tensor(std::string_view name, const std::string& what) {
  return Error{ErrorCode::kFormat, concat("tensor ", quoted(name), ": ", what)};
}

Status read_shape(json::Value shape, SafeTensor& tensor) {
  if (!shape.is_array()) return wrong_tensor(tensor.name, "no shape");
  for (json::Value v = shape.first(); v; v = v.next()) {
    const auto dim = v.integer();
    if (!dim || *dim < 0 || tensor.shape.size() == kMaxDims) return wrong_tensor(tensor.name, "a shape that cannot be");
    const auto n = static_cast<uint64_t>(*dim);
    if (n > 0 && tensor.n_elements > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 8 / n) {
      return wrong_tensor(tensor.name, "its size overflows");
    }
    tensor.n_elements *= n;
    tensor.shape.push_back(*dim);
  }
  return {};
}

Result<SafeTensor> read_tensor(json::Value entry, uint64_t data_begin, uint64_t file_bytes) {
  SafeTensor tensor;
  tensor.name = entry.key();
  tensor.dtype = entry["dtype"].text();
  if (Status s = read_shape(entry["shape"], tensor); !s) return s.error();
  const auto* dtype = find_dtype(tensor.dtype);
  if (dtype == nullptr) return wrong_tensor(tensor.name, "unknown dtype " + quote(tensor.dtype));
  const json::Value first = entry["data_offsets"].first();
  const auto begin = first.integer(), end = first.next().integer();
  const uint64_t data_bytes = file_bytes - data_begin;
  if (!begin || !end || *begin < 0 || *end < *begin || static_cast<uint64_t>(*end) > data_bytes) {
    return wrong_tensor(tensor.name, "its data_offsets are not in the file");
  }
  tensor.size_bytes = static_cast<uint64_t>(*end - *begin);
  if (tensor.size_bytes != tensor.n_elements * dtype->bytes) {
    return wrong_tensor(tensor.name, concat(tensor.size_bytes, " bytes do not hold ", tensor.n_elements,
                                            " elements of ", tensor.dtype));
  }
  tensor.offset = data_begin + static_cast<uint64_t>(*begin);
  return tensor;
}

}  // namespace

const TensorTypeInfo* SafeTensor::float_type() const {
  const auto* row = find_dtype(dtype);
  return row != nullptr && row->is_weight ? tensor_type_info(row->type) : nullptr;
}

TensorType SafeTensor::type() const {
  const auto* row = find_dtype(dtype);
  return row != nullptr ? row->type : TensorType::kI8;
}

Result<std::vector<SafeTensor>> parse_safetensors_header(std::string_view header, uint64_t file_bytes) {
  if (file_bytes < 8 || header.size() > file_bytes - 8)
    return Error{ErrorCode::kFormat, "the header is not in the file"};
  const auto document = json::Document::parse(header, {.max_depth = 16});
  if (!document) return document.error();
  if (!document->root().is_object()) return Error{ErrorCode::kFormat, "the header is no JSON object"};
  std::vector<SafeTensor> tensors;
  for (json::Value v = document->root().first(); v; v = v.next()) {
    if (v.key() == "__metadata__") continue;
    Result<SafeTensor> tensor = read_tensor(v, 8 + header.size(), file_bytes);
    if (!tensor) return tensor.error();
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

Status Safetensors::add_file(const std::string& path) {
  Result<FileReader> file = FileReader::open(path);
  if (!file) return file.error();
  const auto wrong = [&](const std::string& what) { return Error{ErrorCode::kFormat, concat(path, ": ", what)}; };
  if (file->size() < 8) return wrong("is no safetensors file");
  uint64_t n_header = 0;
  if (Status s = file->read_at(0, std::as_writable_bytes(std::span(&n_header, 1))); !s) return s;
  if (n_header > kMaxHeaderBytes || n_header > file->size() - 8) {
    return wrong(concat("is no safetensors file: a header of ", n_header, " bytes"));
  }
  std::string header(static_cast<size_t>(n_header), '\0');
  if (Status s = file->read_at(8, std::as_writable_bytes(std::span(header))); !s) return s;
  auto tensors = parse_safetensors_header(header, file->size());
  if (!tensors) return wrong(tensors.error().message);
  for (SafeTensor& tensor : *tensors) {
    tensor.file = files_.size();
    tensors_.push_back(std::move(tensor));
  }
  paths_.push_back(path);
  files_.push_back(*std::move(file));
  return {};
}

Status Safetensors::check_names() {
  std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (size_t i = 1; i < tensors_.size(); ++i) {
    if (tensors_[i].name != tensors_[i - 1].name) continue;
    return Error{ErrorCode::kFormat,
                 concat(paths_[tensors_[i].file], ": tensor ", quoted(tensors_[i].name), " occurs twice")};
  }
  return {};
}

Result<Safetensors> Safetensors::open_file(const std::string& path) {
  Safetensors all;
  if (Status s = all.add_file(path); !s) return s.error();
  if (Status s = all.check_names(); !s) return s.error();
  return all;
}

Result<Safetensors> Safetensors::open_folder(const std::string& folder, const std::string& base) {
  const std::string single = concat(folder, "/", base, ".safetensors"), index_path = single + ".index.json";
  const Result<std::string> index = read_whole_file(index_path);
  if (!index && index.error().code == ErrorCode::kNotFound) return open_file(single);
  if (!index) return index.error();
  const auto wrong = [&](const std::string& what) { return Error{ErrorCode::kFormat, concat(index_path, ": ", what)}; };
  const auto document = json::Document::parse(*index);
  if (!document) return wrong(document.error().message);
  std::set<std::string, std::less<>> files;
  for (json::Value v = document->root()["weight_map"].first(); v; v = v.next()) {
    const std::string_view name = v.text();
    if (name.empty() || name.front() == '.' || name.find('/') != std::string_view::npos) {
      return wrong(concat("tensor ", quoted(v.key()), " is in no file of the folder"));
    }
    files.emplace(name);
  }
  if (files.empty()) return wrong("no weight_map");
  Safetensors all;
  for (const std::string& name : files) {
    if (Status s = all.add_file(concat(folder, "/", name)); !s) return s.error();
  }
  if (Status s = all.check_names(); !s) return s.error();
  for (json::Value v = document->root()["weight_map"].first(); v; v = v.next()) {
    const auto found = std::lower_bound(all.tensors_.begin(), all.tensors_.end(), v.key(),
                                        [](const SafeTensor& t, std::string_view wanted) { return t.name < wanted; });
    const bool there = found != all.tensors_.end() && found->name == v.key() &&
                       all.paths_[found->file] == concat(folder, "/", v.text());
    if (!there) return wrong(concat("tensor ", quoted(v.key()), " is not in ", quoted(v.text())));
  }
  return all;
}

Status Safetensors::check_unchanged() const {
  for (const FileReader& file : files_) {
    if (Status s = file.check_unchanged(); !s) return s;
  }
  return {};
}

uint64_t Safetensors::total_bytes() const {
  uint64_t sum = 0;
  for (const SafeTensor& tensor : tensors_) sum += tensor.size_bytes;
  return sum;
}

Status Safetensors::read(const SafeTensor& tensor, uint64_t begin, std::span<std::byte> out) const {
  if (begin > tensor.size_bytes || out.size() > tensor.size_bytes - begin) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("tensor ", quoted(tensor.name), " is shorter than what is read of it")};
  }
  return files_[tensor.file].read_at(tensor.offset + begin, out);
}

bool is_folder(const std::string& path) {
  sys::FileInfo info;
  return sys::describe(path, &info) && info.is_folder;
}

Result<std::string> read_whole_file(const std::string& path) {
  const Result<FileReader> file = FileReader::open(path);
  if (!file) return file.error();
  if (file->size() > kMaxFileBytes) {
    return Error{ErrorCode::kLimit, path + ": is larger than 256 MiB"};
  }
  std::string bytes(static_cast<size_t>(file->size()), '\0');
  if (Status s = file->read_at(0, std::as_writable_bytes(std::span(bytes))); !s) return s.error();
  return bytes;
}

}  // namespace hearth
