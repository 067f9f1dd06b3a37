// Look-ups in an opened GgufFile. Opening is in open.cpp, parsing in parser.cpp.
#include "hearth/gguf.h"

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/file_impl.h"
#include "lib/gguf/name_index.h"

namespace hearth {
namespace {

template <typename T>
Result<T> get(const GgufFile& file, std::string_view key, Result<T> (GgufValue::*convert)() const) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) return Error{ErrorCode::kNotFound, concat("key ", quoted(key), " is missing")};
  Result<T> converted = (value->*convert)();
  if (converted) return converted;
  return Error{converted.error().code, concat("key ", quoted(key), " ", converted.error().message)};
}

}  // namespace

uint32_t GgufFile::version() const {
  return impl_->version;
}
uint64_t GgufFile::alignment() const {
  return impl_->alignment;
}
uint64_t GgufFile::file_bytes() const {
  return impl_->file_bytes;
}
const std::vector<std::string>& GgufFile::shard_paths() const {
  return impl_->shard_paths;
}
bool GgufFile::is_mapped() const {
  return impl_->is_mapped;
}
std::span<const GgufEntry> GgufFile::entries() const {
  return impl_->entries;
}
std::span<const GgufTensor> GgufFile::tensors() const {
  return impl_->tensors;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const GgufEntry* entry = find_by_name(impl_->entries, impl_->entries_by_key, &GgufEntry::key, key);
  return entry == nullptr ? nullptr : &entry->value;
}

const GgufTensor* GgufFile::tensor(std::string_view name) const {
  return find_by_name(impl_->tensors, impl_->tensors_by_name, &GgufTensor::name, name);
}

Result<int64_t> GgufFile::get_int(std::string_view key) const {
  return guard([&] { return get(*this, key, &GgufValue::as_int); });
}
Result<double> GgufFile::get_float(std::string_view key) const {
  return guard([&] { return get(*this, key, &GgufValue::as_float); });
}
Result<bool> GgufFile::get_bool(std::string_view key) const {
  return guard([&] { return get(*this, key, &GgufValue::as_bool); });
}
Result<std::string_view> GgufFile::get_string(std::string_view key) const {
  return guard([&] { return get(*this, key, &GgufValue::as_string); });
}

}  // namespace hearth
