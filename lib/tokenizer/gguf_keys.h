// Optional metadata keys: absent is fine, of another type is an error.
#pragma once

#include <string_view>

#include "hearth/gguf.h"

namespace hearth {

/// Leaves `value` alone when the key is absent.
inline Status read_optional_bool(const GgufFile& file, std::string_view key, bool& value) {
  if (file.find(key) == nullptr) return {};
  const Result<bool> read = file.get_bool(key);
  if (!read) return read.error();
  value = *read;
  return {};
}

inline Status read_optional_string(const GgufFile& file, std::string_view key, std::string_view& value) {
  if (file.find(key) == nullptr) return {};
  const Result<std::string_view> read = file.get_string(key);
  if (!read) return read.error();
  value = *read;
  return {};
}

}  // namespace hearth
