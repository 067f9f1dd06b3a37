// Twin of hearth/gguf.h.
#include "lib/c/call.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

const HearthGgufValue* lend_value(const GgufValue* value) {
  return reinterpret_cast<const HearthGgufValue*>(value);
}
const GgufValue& behind(const HearthGgufValue* value) {
  return *reinterpret_cast<const GgufValue*>(value);
}

GgufOpenOptions open_options(const HearthGgufOpenOptions& options) {
  return {.use_mmap = options.use_mmap, .metadata_only = options.metadata_only};
}

void fill_tensor(HearthGgufTensor* out, const GgufTensor& t) {
  HearthGgufTensor full{};
  full.name = lend(t.name);
  full.type = static_cast<int32_t>(t.type);
  full.n_dims = t.n_dims;
  for (size_t i = 0; i < t.dims.size(); ++i) full.dims[i] = t.dims[i];
  full.n_elements = t.n_elements;
  full.size_bytes = t.size_bytes;
  full.file_offset = t.file_offset;
  full.shard = t.shard;
  full.data = t.data;
  fill(out, full);
}

/// A value's conversion into memory of the caller's.
template <typename T, typename Convert>
HearthCode convert_value(const HearthGgufValue* value, T* out, HearthError* error, const Convert& convert) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{value, "value"}, {out, "out"}}); !s) return s;
    const auto made = convert(behind(value));
    if (!made) return made.error();
    if constexpr (std::is_same_v<T, HearthText>) {
      *out = lend(*made);
    } else {
      *out = *made;
    }
    return {};
  });
}
template <typename T, typename Convert>
HearthCode convert_array(const HearthGgufValue* value, T** out, size_t* n, HearthError* error, const Convert& convert) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{value, "value"}, {out, "out"}, {n, "n"}}); !s) return s;
    const auto made = convert(behind(value));
    if (!made) return made.error();
    return hand_out(std::span<const T>(*made), out, n);
  });
}
template <typename T, typename Get>
HearthCode get_key(const HearthGgufFile* file, const char* key, T* out, HearthError* error, const Get& get) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{file, "file"}, {key, "key"}, {out, "out"}}); !s) return s;
    const auto made = get(file->file);
    if (!made) return made.error();
    if constexpr (std::is_same_v<T, HearthText>) {
      *out = lend(*made);
    } else {
      *out = *made;
    }
    return {};
  });
}
template <typename Add>
HearthCode add_key(HearthGgufWriter* writer, const char* key, HearthError* error, const Add& add) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{writer, "writer"}, {key, "key"}}); !s) return s;
    return add(writer->writer);
  });
}
template <typename T>
HearthCode add_array(HearthGgufWriter* writer, const char* key, const T* values, size_t n, HearthError* error,
                     Status (GgufWriter::*add)(std::string_view, std::span<const T>)) {
  return add_key(writer, key, error, [&](GgufWriter& w) -> Status {
    if (n > 0) {
      if (auto s = needs({{values, "values"}}); !s) return s;
    }
    return (w.*add)(key, {values, n});
  });
}

}  // namespace
}  // namespace hearth::c

extern "C" {

bool hearth_tensor_type_info(int32_t type, HearthTensorTypeInfo* out) {
  const auto* info = hearth::tensor_type_info(static_cast<hearth::TensorType>(type));
  if (info == nullptr) return false;
  fill(out, {0, info->name, info->block_size, info->block_bytes});
  return true;
}
const char* hearth_gguf_type_name(int32_t type) {
  return hearth::gguf_type_name(static_cast<hearth::GgufType>(type));
}

int32_t hearth_gguf_value_type(const HearthGgufValue* value) {
  return value == nullptr ? -1 : static_cast<int32_t>(behind(value).type());
}
uint64_t hearth_gguf_value_size(const HearthGgufValue* value) {
  return value == nullptr ? 0 : behind(value).size();
}
int32_t hearth_gguf_value_element_type(const HearthGgufValue* value) {
  return value == nullptr ? -1 : static_cast<int32_t>(behind(value).element_type());
}
HearthCode hearth_gguf_value_as_int(const HearthGgufValue* value, int64_t* out, HearthError* error) {
  return convert_value(value, out, error, [](const auto& v) { return v.as_int(); });
}
HearthCode hearth_gguf_value_as_float(const HearthGgufValue* value, double* out, HearthError* error) {
  return convert_value(value, out, error, [](const auto& v) { return v.as_float(); });
}
HearthCode hearth_gguf_value_as_bool(const HearthGgufValue* value, bool* out, HearthError* error) {
  return convert_value(value, out, error, [](const auto& v) { return v.as_bool(); });
}
HearthCode hearth_gguf_value_as_string(const HearthGgufValue* value, HearthText* out, HearthError* error) {
  return convert_value(value, out, error, [](const auto& v) { return v.as_string(); });
}
HearthCode hearth_gguf_value_as_int_array(const HearthGgufValue* value, int64_t** out, size_t* n, HearthError* error) {
  return convert_array(value, out, n, error, [](const auto& v) { return v.as_int_array(); });
}
HearthCode hearth_gguf_value_as_float_array(const HearthGgufValue* value, float** out, size_t* n, HearthError* error) {
  return convert_array(value, out, n, error, [](const auto& v) { return v.as_float_array(); });
}
HearthCode hearth_gguf_value_as_string_array(const HearthGgufValue* value, HearthText** out, size_t* n,
                                             HearthError* error) {
  return convert_array(value, out, n, error, [](const auto& v) -> hearth::Result<std::vector<HearthText>> {
    const auto texts = v.as_string_array();
    if (!texts) return texts.error();
    std::vector<HearthText> lent;
    lent.reserve(texts->size());
    for (const std::string_view text : *texts) lent.push_back(lend(text));
    return lent;
  });
}
HearthCode hearth_gguf_value_as_array(const HearthGgufValue* value, const HearthGgufValue*** out, size_t* n,
                                      HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{value, "value"}, {out, "out"}, {n, "n"}}); !s) return s;
    const auto made = behind(value).as_array();
    if (!made) return made.error();
    // One block: the pointers, and behind them the values that they point to.
    static_assert(std::is_trivially_copyable_v<hearth::GgufValue> &&
                  alignof(hearth::GgufValue) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    constexpr size_t kAlign = alignof(hearth::GgufValue);
    const size_t n_values = made->size(), pointers = ((n_values + 1) * sizeof(void*) + kAlign - 1) / kAlign * kAlign;
    char* block = static_cast<char*>(::operator new(pointers + n_values * sizeof(hearth::GgufValue)));
    auto** list = static_cast<const HearthGgufValue**>(static_cast<void*>(block));
    if (n_values > 0) std::memcpy(block + pointers, made->data(), n_values * sizeof(hearth::GgufValue));
    for (size_t i = 0; i < n_values; ++i) {
      list[i] = reinterpret_cast<const HearthGgufValue*>(block + pointers + i * sizeof(hearth::GgufValue));
    }
    list[n_values] = nullptr;
    *out = list;
    *n = n_values;
    return {};
  });
}
const void* hearth_gguf_value_bytes(const HearthGgufValue* value, size_t* n) {
  if (n != nullptr) *n = value == nullptr ? 0 : behind(value).bytes().size();
  return value == nullptr ? nullptr : behind(value).bytes().data();
}

void hearth_gguf_open_options_init(HearthGgufOpenOptions* options) {
  const hearth::GgufOpenOptions defaults;
  fill(options, {0, defaults.use_mmap, defaults.metadata_only});
}

HearthCode hearth_gguf_file_open(const char* path, const HearthGgufOpenOptions* options, HearthGgufFile** out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    const auto full = complete(options, hearth_gguf_open_options_init);
    if (!full) return full.error();
    return hand_out_handle(hearth::GgufFile::open(path, open_options(*full)), out);
  });
}
HearthCode hearth_gguf_file_from_memory(const void* bytes, size_t n, const HearthGgufOpenOptions* options,
                                        HearthGgufFile** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{bytes, "bytes"}, {out, "out"}}); !s) return s;
    const auto full = complete(options, hearth_gguf_open_options_init);
    if (!full) return full.error();
    return hand_out_handle(
        hearth::GgufFile::from_memory({static_cast<const std::byte*>(bytes), n}, open_options(*full)), out);
  });
}
void hearth_gguf_file_free(HearthGgufFile* file) {
  delete file;
}
uint32_t hearth_gguf_file_version(const HearthGgufFile* file) {
  return file == nullptr ? 0 : file->file.version();
}
uint64_t hearth_gguf_file_alignment(const HearthGgufFile* file) {
  return file == nullptr ? 0 : file->file.alignment();
}
uint64_t hearth_gguf_file_file_bytes(const HearthGgufFile* file) {
  return file == nullptr ? 0 : file->file.file_bytes();
}
const char* hearth_gguf_file_shard_paths(const HearthGgufFile* file, size_t i) {
  return file == nullptr ? nullptr : nth(file->file.shard_paths(), i);
}
bool hearth_gguf_file_is_mapped(const HearthGgufFile* file) {
  return file != nullptr && file->file.is_mapped();
}
bool hearth_gguf_file_entries(const HearthGgufFile* file, size_t i, HearthGgufEntry* out) {
  if (file == nullptr || i >= file->file.entries().size()) return false;
  const hearth::GgufEntry& entry = file->file.entries()[i];
  fill(out, {0, lend(entry.key), lend_value(&entry.value)});
  return true;
}
const HearthGgufValue* hearth_gguf_file_find(const HearthGgufFile* file, const char* key) {
  return file == nullptr ? nullptr : lend_value(file->file.find(view(key)));
}
HearthCode hearth_gguf_file_get_int(const HearthGgufFile* file, const char* key, int64_t* out, HearthError* error) {
  return get_key(file, key, out, error, [&](const auto& f) { return f.get_int(key); });
}
HearthCode hearth_gguf_file_get_float(const HearthGgufFile* file, const char* key, double* out, HearthError* error) {
  return get_key(file, key, out, error, [&](const auto& f) { return f.get_float(key); });
}
HearthCode hearth_gguf_file_get_bool(const HearthGgufFile* file, const char* key, bool* out, HearthError* error) {
  return get_key(file, key, out, error, [&](const auto& f) { return f.get_bool(key); });
}
HearthCode hearth_gguf_file_get_string(const HearthGgufFile* file, const char* key, HearthText* out,
                                       HearthError* error) {
  return get_key(file, key, out, error, [&](const auto& f) { return f.get_string(key); });
}
bool hearth_gguf_file_tensors(const HearthGgufFile* file, size_t i, HearthGgufTensor* out) {
  if (file == nullptr || i >= file->file.tensors().size()) return false;
  fill_tensor(out, file->file.tensors()[i]);
  return true;
}
bool hearth_gguf_file_tensor(const HearthGgufFile* file, const char* name, HearthGgufTensor* out) {
  const hearth::GgufTensor* tensor = file == nullptr ? nullptr : file->file.tensor(view(name));
  if (tensor != nullptr) fill_tensor(out, *tensor);
  return tensor != nullptr;
}
bool hearth_gguf_file_checksum(const HearthGgufFile* file, size_t i, uint64_t* out) {
  const auto sum = file == nullptr ? std::nullopt : file->file.checksum(i);
  if (sum && out != nullptr) *out = *sum;
  return sum.has_value();
}
HearthCode hearth_gguf_file_check_tensor(const HearthGgufFile* file, size_t i, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{file, "file"}}); !s) return s;
    return file->file.check_tensor(i);
  });
}

HearthCode hearth_gguf_writer_create(const char* path, uint32_t alignment, HearthGgufWriter** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    return hand_out_handle(hearth::GgufWriter::create(path, alignment), out);
  });
}
void hearth_gguf_writer_free(HearthGgufWriter* writer) {
  delete writer;
}
HearthCode hearth_gguf_writer_add_uint32(HearthGgufWriter* writer, const char* key, uint32_t value,
                                         HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_uint32(key, value); });
}
HearthCode hearth_gguf_writer_add_uint64(HearthGgufWriter* writer, const char* key, uint64_t value,
                                         HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_uint64(key, value); });
}
HearthCode hearth_gguf_writer_add_int32(HearthGgufWriter* writer, const char* key, int32_t value, HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_int32(key, value); });
}
HearthCode hearth_gguf_writer_add_float32(HearthGgufWriter* writer, const char* key, float value, HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_float32(key, value); });
}
HearthCode hearth_gguf_writer_add_bool(HearthGgufWriter* writer, const char* key, bool value, HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_bool(key, value); });
}
HearthCode hearth_gguf_writer_add_string(HearthGgufWriter* writer, const char* key, const char* text, size_t text_size,
                                         HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) { return w.add_string(key, view(text, text_size)); });
}
HearthCode hearth_gguf_writer_add_string_array(HearthGgufWriter* writer, const char* key, const HearthText* values,
                                               size_t n, HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) {
    std::vector<std::string_view> texts;
    texts.reserve(n);
    for (size_t i = 0; i < n && values != nullptr; ++i) texts.push_back(view(values[i].data, values[i].size));
    return w.add_string_array(key, texts);
  });
}
HearthCode hearth_gguf_writer_add_int32_array(HearthGgufWriter* writer, const char* key, const int32_t* values,
                                              size_t n, HearthError* error) {
  return add_array(writer, key, values, n, error, &hearth::GgufWriter::add_int32_array);
}
HearthCode hearth_gguf_writer_add_uint32_array(HearthGgufWriter* writer, const char* key, const uint32_t* values,
                                               size_t n, HearthError* error) {
  return add_array(writer, key, values, n, error, &hearth::GgufWriter::add_uint32_array);
}
HearthCode hearth_gguf_writer_add_uint64_array(HearthGgufWriter* writer, const char* key, const uint64_t* values,
                                               size_t n, HearthError* error) {
  return add_array(writer, key, values, n, error, &hearth::GgufWriter::add_uint64_array);
}
HearthCode hearth_gguf_writer_add_float32_array(HearthGgufWriter* writer, const char* key, const float* values,
                                                size_t n, HearthError* error) {
  return add_array(writer, key, values, n, error, &hearth::GgufWriter::add_float32_array);
}
HearthCode hearth_gguf_writer_add_bool_array(HearthGgufWriter* writer, const char* key, const bool* values, size_t n,
                                             HearthError* error) {
  return add_array(writer, key, values, n, error, &hearth::GgufWriter::add_bool_array);
}
HearthCode hearth_gguf_writer_add_value(HearthGgufWriter* writer, const char* key, const HearthGgufValue* value,
                                        HearthError* error) {
  return add_key(writer, key, error, [&](auto& w) -> hearth::Status {
    if (auto s = needs({{value, "value"}}); !s) return s;
    return w.add_value(key, behind(value));
  });
}
HearthCode hearth_gguf_writer_add_tensor(HearthGgufWriter* writer, const char* name, int32_t type, const int64_t* dims,
                                         size_t n_dims, HearthError* error) {
  return add_key(writer, name, error, [&](auto& w) -> hearth::Status {
    if (auto s = needs({{dims, "dims"}}); !s) return s;
    return w.add_tensor(name, static_cast<hearth::TensorType>(type), std::span<const int64_t>(dims, n_dims));
  });
}
HearthCode hearth_gguf_writer_add_checksums(HearthGgufWriter* writer, HearthError* error) {
  return add_key(writer, "", error, [&](auto& w) { return w.add_checksums(); });
}
HearthCode hearth_gguf_writer_write_data(HearthGgufWriter* writer, const void* bytes, size_t n, HearthError* error) {
  return add_key(writer, "", error, [&](auto& w) -> hearth::Status {
    if (n > 0) {
      if (auto s = needs({{bytes, "bytes"}}); !s) return s;
    }
    return w.write_data({static_cast<const std::byte*>(bytes), n});
  });
}
HearthCode hearth_gguf_writer_finish(HearthGgufWriter* writer, HearthError* error) {
  return add_key(writer, "", error, [&](auto& w) { return w.finish(); });
}

}  // extern "C"
