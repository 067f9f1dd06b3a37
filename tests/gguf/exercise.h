// Touches all that an opened file offers, so that a sanitizer sees every read outside of the file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hearth/gguf.h"

namespace hearth::testing {

/// Sum over all bytes that the value gives, by every conversion.
inline uint64_t exercise(const GgufValue& value, int depth = 0) {
  uint64_t sum = value.size();
  for (const std::byte b : value.bytes()) sum += static_cast<uint64_t>(b);
  if (const auto v = value.as_int()) sum += static_cast<uint64_t>(*v);
  if (const auto v = value.as_float()) sum += *v > 0.0;
  if (const auto v = value.as_bool()) sum += *v;
  if (const auto v = value.as_string()) sum += v->size();
  if (const auto v = value.as_int_array()) sum += v->size();
  if (const auto v = value.as_float_array()) sum += v->size();
  if (const auto strings = value.as_string_array()) {
    for (const std::string_view s : *strings) sum += s.empty() ? 0 : static_cast<uint64_t>(s.back());
  }
  if (const auto elements = value.as_array()) {
    if (elements->size() != value.size()) __builtin_trap();
    if (depth > 16) __builtin_trap();
    for (const GgufValue& element : *elements) sum += exercise(element, depth + 1);
  }
  return sum;
}

/// Reads every entry and every byte of every tensor; traps when a look-up contradicts the lists.
inline uint64_t exercise(const GgufFile& file) {
  uint64_t sum = file.alignment() + file.version();
  for (const GgufEntry& entry : file.entries()) {
    if (file.find(entry.key) != &entry.value) __builtin_trap();
    sum += exercise(entry.value);
  }
  for (const GgufTensor& tensor : file.tensors()) {
    if (file.tensor(tensor.name) != &tensor) __builtin_trap();
    for (uint64_t i = 0; tensor.data != nullptr && i < tensor.size_bytes; ++i) {
      sum += static_cast<uint64_t>(tensor.data[i]);
    }
  }
  return sum;
}

}  // namespace hearth::testing
