// Characters as Python's str sees them: UTF-8 decoding, classes and case mappings. Knows no values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::jinja::unicode {

/// One decoded character. A byte that is not part of valid UTF-8 counts as a character of its own with the
/// code 0xDC00 + byte, so that every byte string can be walked and put together again.
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

bool is_space(uint32_t c);
bool is_alpha(uint32_t c);
bool is_decimal(uint32_t c);
bool is_digit(uint32_t c);
bool is_numeric(uint32_t c);
bool is_alnum(uint32_t c);
bool is_word(uint32_t c);  ///< \w of Python's re: alphanumeric or underscore
bool is_printable(uint32_t c);
bool is_lower(uint32_t c);
bool is_upper(uint32_t c);
bool is_title(uint32_t c);
bool is_cased(uint32_t c);
bool is_case_ignorable(uint32_t c);
/// Value of a decimal digit, -1 for anything else.
int decimal_value(uint32_t c);

/// Up to three characters; unused places are 0.
struct Mapped {
  uint32_t codes[3];
};
Mapped to_upper(uint32_t c);
Mapped to_lower(uint32_t c);  ///< without the final-sigma rule
Mapped to_title(uint32_t c);

}  // namespace hearth::jinja::unicode
