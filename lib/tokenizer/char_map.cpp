// Look-up in the precompiled normalization rules; every index is checked, a broken table matches nothing.
#include "lib/tokenizer/char_map.h"

#include <cstring>
#include <string>

#include "lib/base/concat.h"

namespace hearth {
namespace {

constexpr uint32_t kValueBit = 1u << 31;
// Bounds of one look-up, so that a table made for it cannot make a text take the square of its length; real tables have
// keys of 20 bytes and replacements of 40.
constexpr size_t kMaxKey = 256;
constexpr size_t kMaxReplacement = 256;

uint32_t label(uint32_t unit) {
  return unit & (kValueBit | 0xFF);
}
bool has_value(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
uint32_t offset(uint32_t unit) {
  return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

}  // namespace

Result<CharMap> CharMap::create(std::span<const std::byte> bytes) {
  if (bytes.empty()) return CharMap();
  uint32_t n = 0;
  if (bytes.size() < sizeof n) {
    return Error{ErrorCode::kFormat, "tokenizer.ggml.precompiled_charsmap: shorter than its header"};
  }
  std::memcpy(&n, bytes.data(), sizeof n);
  if (n >= bytes.size() - sizeof n) {
    return Error{ErrorCode::kFormat, concat("tokenizer.ggml.precompiled_charsmap: trie of ", n,
                                            " bytes does not fit its ", bytes.size(), " bytes")};
  }
  CharMap map;
  map.units_ = bytes.subspan(sizeof n, n - n % sizeof(uint32_t));
  const std::span<const std::byte> rest = bytes.subspan(sizeof n + n);
  map.replacements_ = {reinterpret_cast<const char*>(rest.data()), rest.size()};
  return map;
}

uint32_t CharMap::unit(size_t index) const {
  uint32_t value = 0;
  if (index < units_.size() / sizeof value) {
    std::memcpy(&value, units_.data() + index * sizeof value, sizeof value);
  }
  return value;
}

CharMap::Match CharMap::longest(std::string_view text) const {
  if (units_.empty()) return {};
  Match match;
  size_t position = 0;
  size_t node = offset(unit(0));
  text = text.substr(0, kMaxKey);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    const uint32_t found = unit(node);
    if (label(found) != byte) break;
    node ^= offset(found);
    if (!has_value(found)) continue;
    match.n_bytes = i + 1;
    position = unit(node) & ~kValueBit;
  }
  if (match.n_bytes == 0 || position > replacements_.size()) return {};
  const std::string_view rest = replacements_.substr(position, kMaxReplacement);
  const size_t end = rest.find('\0');
  if (end == std::string_view::npos) return {};
  match.replacement = rest.substr(0, end);
  return match;
}

}  // namespace hearth
