// GgufWriter: declarations are encoded as they come, tensor data is streamed to the file.
#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>
#include <utility>

#include "hearth/gguf.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/gguf/checksums.h"
#include "lib/gguf/limits.h"
#include "lib/gguf/tensor_size.h"
#include "lib/gguf/value_walk.h"
#include "lib/io/atomic_file.h"

namespace hearth {
namespace {

constexpr uint32_t kVersion = 3;
constexpr std::string_view kAlignmentKey = "general.alignment";

Error invalid(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

template <typename T>
void append_scalar(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_string(std::string& out, std::string_view text) {
  append_scalar<uint64_t>(out, text.size());
  out.append(text);
}

template <typename T>
std::string_view as_chars(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

Status check_name(const char* what, std::string_view name, uint64_t max_bytes) {
  if (name.empty()) return invalid(concat("an empty ", what));
  if (name.size() > max_bytes) return invalid(concat(what, " ", quoted(name), " is longer than the limit"));
  if (name.find('\0') != std::string_view::npos) {
    return invalid(concat(what, " ", quoted(name), " contains a NUL character"));
  }
  return {};
}

}  // namespace

struct GgufWriter::Impl {
  enum class State { kDeclaring, kWriting, kFinished };
  struct Planned {
    std::string name;
    uint64_t size_bytes = 0;
  };

  Impl(AtomicFile out, std::string where, uint32_t align)
      : file(std::move(out)), path(std::move(where)), alignment(align) {}

  Status check_key(std::string_view key) const;
  Status add_entry(std::string_view key, GgufType type, std::string_view head, std::string_view payload = {});
  Status add_array(std::string_view key, GgufType element_type, uint64_t count, std::string_view payload);
  Status add_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims);
  void note_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims, uint64_t size_bytes);
  Status write_header();
  Status write_data(std::span<const std::byte> bytes);
  Status finish();
  Status pad();
  Status reserve_checksums();
  void tensor_done();

  AtomicFile file;
  std::string path;
  uint32_t alignment;
  State state = State::kDeclaring;
  std::string entries;  ///< encoded metadata
  std::string infos;    ///< encoded tensor infos
  std::unordered_set<std::string> keys;
  std::unordered_set<std::string> names;
  std::vector<Planned> tensors;
  uint64_t data_bytes = 0;  ///< planned so far, with padding
  size_t current = 0;       ///< tensor whose data comes next
  uint64_t written = 0;     ///< bytes of it
  bool with_checksums = false;
  uint64_t checksums_at = 0;  ///< offset in the file of the first
  TensorListHash list_hash;
  Xxh64 hash;                       ///< of what was written of the current tensor
  std::vector<uint64_t> checksums;  ///< that of the list, then of each tensor that is done
};

Status GgufWriter::Impl::check_key(std::string_view key) const {
  if (state != State::kDeclaring) return invalid(concat("key ", quoted(key), " is declared after tensor data"));
  if (Status s = check_name("key", key, gguf_limits::kMaxKeyBytes); !s) return s;
  if (keys.size() >= gguf_limits::kMaxEntries) return Error{ErrorCode::kLimit, "too many keys at " + quote(key)};
  if (keys.contains(std::string(key))) return invalid(concat("key ", quoted(key), " is declared twice"));
  return {};
}

/// `payload` follows `head`. After an error nothing of it is there.
Status GgufWriter::Impl::add_entry(std::string_view key, GgufType type, std::string_view head,
                                   std::string_view payload) {
  if (key == kAlignmentKey) {
    std::string own;
    append_scalar(own, alignment);
    if (type != GgufType::kUint32 || head != own) {
      return invalid(concat("key 'general.alignment' differs from the writer's alignment ", alignment));
    }
  }
  if (Status s = check_key(key); !s) return s;
  const auto add = [&] {
    append_string(entries, key);
    append_scalar(entries, static_cast<uint32_t>(type));
    entries.append(head).append(payload);
    keys.emplace(key);
  };
  undo_on_exception(add, [this, size = entries.size()] { entries.resize(size); });
  return {};
}

Status GgufWriter::Impl::add_array(std::string_view key, GgufType element_type, uint64_t count,
                                   std::string_view payload) {
  std::string header;
  append_scalar(header, static_cast<uint32_t>(element_type));
  append_scalar(header, count);
  return add_entry(key, GgufType::kArray, header, payload);
}

Status GgufWriter::Impl::add_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims) {
  if (state != State::kDeclaring) return invalid(concat("tensor ", quoted(name), " is declared after tensor data"));
  if (Status s = check_name("tensor", name, gguf_limits::kMaxTensorNameBytes); !s) return s;
  if (dims.empty() || dims.size() > 4) {
    return invalid(concat("tensor ", quoted(name), " has ", dims.size(), " dimensions, not 1 to 4"));
  }
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) {
    return invalid(concat("tensor ", quoted(name), " is empty"));
  }
  const Result<TensorSize> size = tensor_size(type, dims);
  if (!size) return invalid(concat("tensor ", quoted(name), ": ", size.error().message));
  const uint64_t limit = std::numeric_limits<int64_t>::max() - uint64_t{alignment};
  if (size->size_bytes > limit - data_bytes) {
    return invalid(concat("tensor ", quoted(name), ": the file's size overflows"));
  }
  if (tensors.size() >= gguf_limits::kMaxTensors) return Error{ErrorCode::kLimit, "too many tensors at " + quote(name)};
  if (names.contains(std::string(name))) return invalid(concat("tensor ", quoted(name), " is declared twice"));
  note_tensor(name, type, dims, size->size_bytes);
  return {};
}

/// After an exception nothing of it is there.
void GgufWriter::Impl::note_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims,
                                   uint64_t size_bytes) {
  const auto add = [&] {
    append_string(infos, name);
    append_scalar(infos, static_cast<uint32_t>(dims.size()));
    for (const int64_t dim : dims) append_scalar(infos, dim);
    append_scalar(infos, static_cast<uint32_t>(type));
    append_scalar(infos, data_bytes);
    tensors.push_back({std::string(name), size_bytes});
    names.emplace(name);
  };
  undo_on_exception(add, [this, size = infos.size(), count = tensors.size()] {
    infos.resize(size);
    tensors.resize(count);
  });
  list_hash.add(name, type, size_bytes);
  data_bytes = (data_bytes + size_bytes + alignment - 1) & ~(uint64_t{alignment} - 1);
}

/// Those of tensors are known only at the end, so the array is written as zeros, as the last key.
Status GgufWriter::Impl::reserve_checksums() {
  if (!with_checksums || !checksums.empty()) return {};
  const std::vector<uint64_t> zeros(tensors.size() + 1);
  checksums.reserve(zeros.size());
  const Status added =
      add_array(kChecksumKey, GgufType::kUint64, zeros.size(), as_chars(std::span<const uint64_t>(zeros)));
  if (added) checksums.push_back(list_hash.digest());
  return added;
}

Status GgufWriter::Impl::write_header() {
  if (alignment != gguf_limits::kDefaultAlignment && !keys.contains(std::string(kAlignmentKey))) {
    std::string own;
    append_scalar(own, alignment);
    if (Status s = add_entry(kAlignmentKey, GgufType::kUint32, own); !s) return s;
  }
  if (Status s = reserve_checksums(); !s) return s;
  std::string header = "GGUF";
  append_scalar(header, kVersion);
  append_scalar<uint64_t>(header, tensors.size());
  append_scalar<uint64_t>(header, keys.size());
  checksums_at = header.size() + entries.size() - (tensors.size() + 1) * sizeof(uint64_t);
  state = State::kWriting;  // from here on only the file can fail, which repeats its error
  for (const std::string* part : {&header, &entries, &infos}) {
    if (Status s = file.write(std::as_bytes(std::span(*part))); !s) return s;
  }
  entries = {};
  infos = {};
  return pad();
}

Status GgufWriter::Impl::pad() {
  static constexpr std::array<std::byte, 256> kZeros{};
  uint64_t missing = (alignment - file.offset() % alignment) % alignment;
  while (missing > 0) {
    const uint64_t n = std::min<uint64_t>(missing, kZeros.size());
    if (Status s = file.write({kZeros.data(), static_cast<size_t>(n)}); !s) return s;
    missing -= n;
  }
  return {};
}

Status GgufWriter::Impl::write_data(std::span<const std::byte> bytes) {
  if (state == State::kFinished) return invalid(path + ": is already finished");
  if (state == State::kDeclaring) {
    if (Status s = write_header(); !s) return s;
  }
  while (!bytes.empty()) {
    if (current == tensors.size()) {
      return invalid(concat(path, ": ", bytes.size(), " bytes of data beyond the declared tensors"));
    }
    const uint64_t missing = tensors[current].size_bytes - written;
    const auto n = static_cast<size_t>(std::min<uint64_t>(missing, bytes.size()));
    if (Status s = file.write(bytes.first(n)); !s) return s;
    if (with_checksums) hash.update(bytes.first(n));
    bytes = bytes.subspan(n);
    written += n;
    if (written < tensors[current].size_bytes) continue;
    if (Status s = pad(); !s) return s;
    tensor_done();
  }
  return {};
}

void GgufWriter::Impl::tensor_done() {
  if (with_checksums) checksums.push_back(hash.digest());
  hash.reset();
  ++current;
  written = 0;
}

Status GgufWriter::Impl::finish() {
  if (Status s = write_data({}); !s) return s;
  if (Status s = file.write({}); !s) return s;  // repeats an earlier failure, which explains missing data
  if (current < tensors.size()) {
    return invalid(concat(path, ": tensor ", quoted(tensors[current].name), " lacks ",
                          tensors[current].size_bytes - written, " bytes of data"));
  }
  if (!checksums.empty()) {
    if (Status s = file.overwrite(checksums_at, std::as_bytes(std::span(checksums))); !s) return s;
  }
  if (Status s = file.commit(); !s) return s;
  state = State::kFinished;
  return {};
}

Result<GgufWriter> GgufWriter::create(const std::string& path, uint32_t alignment) {
  return guard([&]() -> Result<GgufWriter> {
    if (!std::has_single_bit(alignment) || alignment < gguf_limits::kMinAlignment ||
        alignment > gguf_limits::kMaxAlignment) {
      return invalid(concat("alignment ", alignment, " is not a power of two from 8 to 16777216"));
    }
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file) return file.error();
    return GgufWriter(std::make_unique<Impl>(*std::move(file), path, alignment));
  });
}

GgufWriter::GgufWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufWriter::GgufWriter(GgufWriter&&) noexcept = default;
GgufWriter& GgufWriter::operator=(GgufWriter&&) noexcept = default;
GgufWriter::~GgufWriter() = default;

namespace {

template <typename T>
std::string_view scalar_chars(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

Status GgufWriter::add_uint32(std::string_view key, uint32_t value) {
  return guard([&] { return impl_->add_entry(key, GgufType::kUint32, scalar_chars(value)); });
}
Status GgufWriter::add_uint64(std::string_view key, uint64_t value) {
  return guard([&] { return impl_->add_entry(key, GgufType::kUint64, scalar_chars(value)); });
}
Status GgufWriter::add_int32(std::string_view key, int32_t value) {
  return guard([&] { return impl_->add_entry(key, GgufType::kInt32, scalar_chars(value)); });
}
Status GgufWriter::add_float32(std::string_view key, float value) {
  return guard([&] { return impl_->add_entry(key, GgufType::kFloat32, scalar_chars(value)); });
}
Status GgufWriter::add_bool(std::string_view key, bool value) {
  return guard([&] { return impl_->add_entry(key, GgufType::kBool, scalar_chars(static_cast<uint8_t>(value))); });
}
Status GgufWriter::add_string(std::string_view key, std::string_view value) {
  return guard([&]() -> Status {
    std::string payload;
    append_string(payload, value);
    return impl_->add_entry(key, GgufType::kString, payload);
  });
}
Status GgufWriter::add_string_array(std::string_view key, std::span<const std::string_view> values) {
  return guard([&]() -> Status {
    std::string payload;
    for (const std::string_view value : values) append_string(payload, value);
    return impl_->add_array(key, GgufType::kString, values.size(), payload);
  });
}
Status GgufWriter::add_int32_array(std::string_view key, std::span<const int32_t> values) {
  return guard([&] { return impl_->add_array(key, GgufType::kInt32, values.size(), as_chars(values)); });
}
Status GgufWriter::add_uint32_array(std::string_view key, std::span<const uint32_t> values) {
  return guard([&] { return impl_->add_array(key, GgufType::kUint32, values.size(), as_chars(values)); });
}
Status GgufWriter::add_float32_array(std::string_view key, std::span<const float> values) {
  return guard([&] { return impl_->add_array(key, GgufType::kFloat32, values.size(), as_chars(values)); });
}
Status GgufWriter::add_uint64_array(std::string_view key, std::span<const uint64_t> values) {
  return guard([&] { return impl_->add_array(key, GgufType::kUint64, values.size(), as_chars(values)); });
}
Status GgufWriter::add_bool_array(std::string_view key, std::span<const bool> values) {
  return guard([&]() -> Status {
    std::string payload;
    for (const bool value : values) payload.push_back(value ? '\1' : '\0');
    return impl_->add_array(key, GgufType::kBool, values.size(), payload);
  });
}

Status GgufWriter::add_value(std::string_view key, const GgufValue& value) {
  return guard([&]() -> Status {
    const std::string_view stored = as_chars(value.bytes());
    switch (value.type()) {
      case GgufType::kArray: return impl_->add_array(key, value.element_type(), value.size(), stored);
      case GgufType::kString: return add_string(key, stored);
      default: break;
    }
    if (stored.size() != gguf_scalar_bytes(value.type())) {
      return invalid(concat("key ", quoted(key), ": an empty value"));
    }
    return impl_->add_entry(key, value.type(), stored);
  });
}

Status GgufWriter::add_tensor(std::string_view name, TensorType type, std::span<const int64_t> dims) {
  return guard([&] { return impl_->add_tensor(name, type, dims); });
}
Status GgufWriter::add_checksums() {
  return guard([&]() -> Status {
    if (impl_->state != Impl::State::kDeclaring)
      return invalid(impl_->path + ": checksums are declared after tensor data");
    if (impl_->keys.contains(std::string(kChecksumKey))) {
      return invalid(concat("key ", quoted(kChecksumKey), " is declared twice"));
    }
    impl_->with_checksums = true;
    return {};
  });
}
Status GgufWriter::write_data(std::span<const std::byte> bytes) {
  return guard([&] { return impl_->write_data(bytes); });
}
Status GgufWriter::finish() {
  return guard([&] { return impl_->finish(); });
}

}  // namespace hearth
