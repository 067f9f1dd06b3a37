// UTF-8 as tokenizers read it: lenient decoding, cleaning, encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::utf8 {

inline constexpr uint32_t kReplacement = 0xFFFD;

/// Bytes that a lead byte announces; 1 for continuation bytes. Invalid leads F8-FF announce 4.
inline uint32_t announced_length(uint8_t lead) {
  constexpr uint8_t kLengths[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
  return kLengths[lead >> 4];
}

struct CodePoint {
  uint32_t value;
  uint32_t n_bytes;
};

/// Decodes at `p < end`. Overlong forms and surrogates are accepted; a byte that does not fit, and anything
/// above U+10FFFF, is U+FFFD of one byte.
CodePoint decode(const char* p, const char* end);

/// Decodes text for which is_clean() holds, at a character boundary; no bounds are checked.
inline CodePoint decode_clean(const char* p) {
  const auto* b = reinterpret_cast<const uint8_t*>(p);
  if (b[0] < 0x80) return {b[0], 1};
  if (b[0] < 0xE0) return {(b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu), 2};
  if (b[0] < 0xF0) return {(b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu), 3};
  return {(b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu), 4};
}

void append(std::string& out, uint32_t code_point);

/// True when decode() followed by append() gives the same bytes back.
bool is_clean(std::string_view text);
/// Decodes and encodes again: afterwards is_clean() holds.
std::string cleaned(std::string_view text);

/// Bytes at the end of `text` that begin a character which is not complete yet (0 to 3).
size_t incomplete_tail(std::string_view text);

}  // namespace hearth::utf8
