// Properties of characters from Unicode 15.1: categories, classes and case mappings. Any number is allowed as a code
// point; above U+10FFFF everything is unassigned.
#pragma once

#include <cstdint>

namespace hearth::unicode {

/// General_Category, in the order of the table.
enum class GeneralCategory : uint8_t {
  // clang-format off
  kCn, kLu, kLl, kLt, kLm, kLo, kMn, kMc, kMe, kNd, kNl, kNo, kPc, kPd, kPs, kPe, kPi, kPf, kPo, kSm, kSc, kSk, kSo,
  kZs, kZl, kZp, kCc, kCf, kCs, kCo,
  // clang-format on
};
GeneralCategory general_category(uint32_t c);

/// First letter of the general category, with White_Space (all of Z and the controls that part lines and words) as a
/// class of its own.
enum class CharCategory : uint8_t {
  kUnassigned = 0,
  kLetter = 1,
  kNumber = 2,
  kPunctuation = 3,
  kSymbol = 4,
  kMark = 5,
  kSeparator = 6,  ///< none: they are all white space
  kControl = 7,
  kSpace = 8,
};
inline constexpr int kCategories = 9;
CharCategory category(uint32_t c);

/// Classes as Python's str has them.
bool is_space(uint32_t c);  ///< White_Space and U+001C to U+001F
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

/// Simple (one to one) lower-case mapping.
uint32_t simple_lower(uint32_t c);

/// Up to three characters; unused places are 0.
struct Mapped {
  uint32_t codes[3];
};
/// Full case mappings, but for what depends on language or context (the final sigma).
Mapped to_upper(uint32_t c);
Mapped to_lower(uint32_t c);
Mapped to_title(uint32_t c);

}  // namespace hearth::unicode
