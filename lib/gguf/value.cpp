// Typed access to metadata values. The bytes were checked by the parser; here only types and ranges can be wrong.
#include <limits>

#include "hearth/gguf.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/gguf/cursor.h"
#include "lib/gguf/parser.h"

namespace hearth {
namespace {

Error type_error(const GgufValue& value, const char* wanted) {
  std::string message = "is ";
  if (value.type() == GgufType::kArray) message += "an array of ";
  message.append(gguf_type_name(value.element_type())).append(", not ").append(wanted);
  return Error{ErrorCode::kFormat, std::move(message)};
}

bool is_integer(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kUint16:
    case GgufType::kInt16:
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kUint64:
    case GgufType::kInt64: return true;
    default: return false;
  }
}

bool is_float(GgufType type) {
  return type == GgufType::kFloat32 || type == GgufType::kFloat64;
}

/// An integer of the given type at any alignment; uint64 wraps.
int64_t load_int(GgufType type, const std::byte* from) {
  switch (type) {
    case GgufType::kUint8: return load_unaligned<uint8_t>(from);
    case GgufType::kInt8: return load_unaligned<int8_t>(from);
    case GgufType::kUint16: return load_unaligned<uint16_t>(from);
    case GgufType::kInt16: return load_unaligned<int16_t>(from);
    case GgufType::kUint32: return load_unaligned<uint32_t>(from);
    case GgufType::kInt32: return load_unaligned<int32_t>(from);
    default: return load_unaligned<int64_t>(from);
  }
}

/// A number of the given type at any alignment.
double load_number(GgufType type, const std::byte* from) {
  if (type == GgufType::kFloat32) return static_cast<double>(load_unaligned<float>(from));
  if (type == GgufType::kFloat64) return load_unaligned<double>(from);
  if (type == GgufType::kUint64) return static_cast<double>(load_unaligned<uint64_t>(from));
  return static_cast<double>(load_int(type, from));
}

bool fits_int64(GgufType type, const std::byte* from) {
  return type != GgufType::kUint64 || load_unaligned<uint64_t>(from) <= std::numeric_limits<int64_t>::max();
}

Error too_large(const std::byte* from) {
  return Error{ErrorCode::kFormat, concat("is ", load_unaligned<uint64_t>(from), ", beyond 63 bits")};
}

}  // namespace

const char* gguf_type_name(GgufType type) {
  switch (type) {
    case GgufType::kUint8: return "uint8";
    case GgufType::kInt8: return "int8";
    case GgufType::kUint16: return "uint16";
    case GgufType::kInt16: return "int16";
    case GgufType::kUint32: return "uint32";
    case GgufType::kInt32: return "int32";
    case GgufType::kFloat32: return "float32";
    case GgufType::kBool: return "bool";
    case GgufType::kString: return "string";
    case GgufType::kArray: return "array";
    case GgufType::kUint64: return "uint64";
    case GgufType::kInt64: return "int64";
    case GgufType::kFloat64: return "float64";
  }
  return "unknown";
}

Result<int64_t> GgufValue::as_int() const {
  return guard([&]() -> Result<int64_t> {
    if (!is_integer(type_) || data_ == nullptr) return type_error(*this, "an integer");
    if (!fits_int64(type_, data_)) return too_large(data_);
    return load_int(type_, data_);
  });
}

Result<double> GgufValue::as_float() const {
  return guard([&]() -> Result<double> {
    if ((!is_integer(type_) && !is_float(type_)) || data_ == nullptr) return type_error(*this, "a number");
    return load_number(type_, data_);
  });
}

Result<bool> GgufValue::as_bool() const {
  return guard([&]() -> Result<bool> {
    if (type_ != GgufType::kBool) return type_error(*this, "a bool");
    return *data_ != std::byte{0};
  });
}

Result<std::string_view> GgufValue::as_string() const {
  return guard([&]() -> Result<std::string_view> {
    if (type_ != GgufType::kString) return type_error(*this, "a string");
    return std::string_view(reinterpret_cast<const char*>(data_), size_bytes_);
  });
}

Result<std::vector<int64_t>> GgufValue::as_int_array() const {
  return guard([&]() -> Result<std::vector<int64_t>> {
    if (type_ != GgufType::kArray || !is_integer(element_type_)) return type_error(*this, "an array of integers");
    std::vector<int64_t> out;
    out.reserve(static_cast<size_t>(count_));
    const uint64_t step = gguf_scalar_bytes(element_type_);
    for (uint64_t i = 0; i < count_; ++i) {
      const std::byte* element = data_ + i * step;
      if (!fits_int64(element_type_, element)) return too_large(element);
      out.push_back(load_int(element_type_, element));
    }
    return out;
  });
}

Result<std::vector<float>> GgufValue::as_float_array() const {
  return guard([&]() -> Result<std::vector<float>> {
    const bool numbers = is_integer(element_type_) || is_float(element_type_);
    if (type_ != GgufType::kArray || !numbers) return type_error(*this, "an array of numbers");
    std::vector<float> out;
    out.reserve(static_cast<size_t>(count_));
    const uint64_t step = gguf_scalar_bytes(element_type_);
    for (uint64_t i = 0; i < count_; ++i) {
      out.push_back(static_cast<float>(load_number(element_type_, data_ + i * step)));
    }
    return out;
  });
}

Result<std::vector<std::string_view>> GgufValue::as_string_array() const {
  return guard([&]() -> Result<std::vector<std::string_view>> {
    if (type_ != GgufType::kArray || element_type_ != GgufType::kString)
      return type_error(*this, "an array of strings");
    std::vector<std::string_view> out;
    out.reserve(static_cast<size_t>(count_));
    Cursor cursor(bytes());
    std::string_view text;
    for (uint64_t i = 0; i < count_ && cursor.read_string(text); ++i) out.push_back(text);
    return out;
  });
}

Result<std::vector<GgufValue>> GgufValue::as_array() const {
  return guard([&]() -> Result<std::vector<GgufValue>> {
    if (type_ != GgufType::kArray) return type_error(*this, "an array");
    std::vector<GgufValue> out;
    out.reserve(static_cast<size_t>(count_));
    Cursor cursor(bytes());
    WalkProblem unused;
    for (uint64_t i = 0; i < count_; ++i) {
      GgufValue element;
      if (!GgufParser::read_value(cursor, element_type_, 0, element, unused)) break;
      out.push_back(element);
    }
    return out;
  });
}

}  // namespace hearth
