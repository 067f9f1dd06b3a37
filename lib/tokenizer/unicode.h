// Unicode 15.1 properties that tokenizers ask for: general categories, white space, lower case, base letters.
#pragma once

#include <cstdint>

namespace hearth::unicode {

/// General category (first letter), with White_Space as a class of its own.
enum class CharCategory : uint8_t {
  kUnassigned = 0,
  kLetter = 1,
  kNumber = 2,
  kPunctuation = 3,
  kSymbol = 4,
  kMark = 5,
  kSeparator = 6,
  kControl = 7,
  kSpace = 8,
};
inline constexpr int kCategories = 9;

/// Any number is allowed; above U+10FFFF everything is unassigned.
CharCategory category(uint32_t code_point);

/// Simple (one to one) lower-case mapping.
uint32_t lower(uint32_t code_point);

/// First code point of the canonical decomposition (NFD): the letter below its accents.
uint32_t base_letter(uint32_t code_point);

}  // namespace hearth::unicode
