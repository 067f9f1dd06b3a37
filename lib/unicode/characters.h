// Any byte string as a sequence of characters: what is not UTF-8 is kept, so that the string can be put together again.
// (utf8.h decodes otherwise: there, what is broken becomes U+FFFD.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::unicode {

/// One decoded character. A byte that is not part of valid UTF-8 counts as a character of its own with the
/// code 0xDC00 + byte (Python's "surrogateescape", PEP 383).
struct Char {
  uint32_t code;
  uint32_t size;  ///< bytes, 1 to 4
};

/// Decodes the character at `pos`; pos < text.size().
Char decode(std::string_view text, size_t pos);
/// Appends a character (0xDC80..0xDCFF gives the raw byte back; other surrogates and codes too large, U+FFFD).
void encode(std::string& out, uint32_t code);
/// Number of characters.
size_t count(std::string_view text);
/// Byte offset of the n-th character; text.size() when there are fewer.
size_t offset_of(std::string_view text, size_t n);

}  // namespace hearth::unicode
