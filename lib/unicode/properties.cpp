// Classes of characters and case mappings over the generated tables.
#include "lib/unicode/properties.h"

#include "lib/unicode/table_lookup.h"

namespace hearth::unicode {
namespace {

using enum GeneralCategory;

constexpr uint32_t bit(GeneralCategory category) {
  return 1u << static_cast<uint32_t>(category);
}

constexpr uint32_t kLetters = bit(kLu) | bit(kLl) | bit(kLt) | bit(kLm) | bit(kLo);
constexpr uint32_t kNumbers = bit(kNd) | bit(kNl) | bit(kNo);
constexpr uint32_t kSeparators = bit(kZs) | bit(kZl) | bit(kZp);
constexpr uint32_t kOthers = bit(kCn) | bit(kCc) | bit(kCf) | bit(kCs) | bit(kCo);
constexpr uint32_t kAlwaysCaseIgnorable = bit(kMn) | bit(kMe) | bit(kCf) | bit(kLm) | bit(kSk);

bool is_in(uint32_t categories, uint32_t c) {
  return (categories & bit(general_category(c))) != 0;
}

template <size_t n>
uint32_t map_simple(const tables::CaseRange (&ranges)[n], uint32_t c) {
  const tables::CaseRange* run = tables::find_run(ranges, c);
  if (run == nullptr || (c - run->first) % run->stride != 0) return c;
  return static_cast<uint32_t>(static_cast<int32_t>(c) + run->difference);
}

/// A mapping of the table to out; false when it has none.
template <size_t n>
bool map_special(const tables::SpecialCase (&special)[n], uint32_t c, Mapped& out) {
  const tables::SpecialCase* at =
      std::lower_bound(std::begin(special), std::end(special), c,
                       [](const tables::SpecialCase& entry, uint32_t code) { return entry.code < code; });
  if (at == std::end(special) || at->code != c) return false;
  out = {{at->to[0], at->to[1], at->to[2]}};
  return true;
}

bool has_case_mapping(uint32_t c) {
  return (tables::properties(c) & tables::kHasCaseMapping) != 0;
}

}  // namespace

GeneralCategory general_category(uint32_t c) {
  const uint32_t value = tables::properties(c) & tables::kCategoryBits;
  return value == tables::kWhiteControl ? kCc : static_cast<GeneralCategory>(value);
}

CharCategory category(uint32_t c) {
  using enum CharCategory;
  constexpr CharCategory kClasses[32] = {
      kUnassigned,  kLetter,      kLetter,      kLetter,  kLetter,      kLetter,      kMark,        kMark,
      kMark,        kNumber,      kNumber,      kNumber,  kPunctuation, kPunctuation, kPunctuation, kPunctuation,
      kPunctuation, kPunctuation, kPunctuation, kSymbol,  kSymbol,      kSymbol,      kSymbol,      kSpace,
      kSpace,       kSpace,       kControl,     kControl, kControl,     kControl,     kSpace,       kUnassigned};
  return kClasses[tables::properties(c) & tables::kCategoryBits];
}

bool is_space(uint32_t c) {
  return category(c) == CharCategory::kSpace || (c >= 0x1C && c <= 0x1F);
}
bool is_alpha(uint32_t c) {
  return is_in(kLetters, c);
}
bool is_decimal(uint32_t c) {
  return general_category(c) == kNd;
}
bool is_digit(uint32_t c) {
  return is_decimal(c) || tables::find_run(tables::kDigit, c) != nullptr;
}
bool is_numeric(uint32_t c) {
  return is_in(kNumbers, c) || tables::find_run(tables::kOtherNumeric, c) != nullptr;
}
bool is_alnum(uint32_t c) {
  return is_alpha(c) || is_numeric(c);
}
bool is_word(uint32_t c) {
  return c == '_' || is_alnum(c);
}
bool is_printable(uint32_t c) {
  return c == ' ' || !is_in(kSeparators | kOthers, c);
}
bool is_lower(uint32_t c) {
  return general_category(c) == kLl || tables::find_run(tables::kOtherLower, c) != nullptr;
}
bool is_upper(uint32_t c) {
  return general_category(c) == kLu || tables::find_run(tables::kOtherUpper, c) != nullptr;
}
bool is_title(uint32_t c) {
  return general_category(c) == kLt;
}
bool is_cased(uint32_t c) {
  return is_lower(c) || is_upper(c) || is_title(c);
}
bool is_case_ignorable(uint32_t c) {
  return is_in(kAlwaysCaseIgnorable, c) || tables::find_run(tables::kOtherCaseIgnorable, c) != nullptr;
}

int decimal_value(uint32_t c) {
  if (!is_decimal(c)) return -1;
  uint32_t zero = c;  // digits of one script follow each other from 0 to 9, some scripts each other
  while (zero > 0 && is_decimal(zero - 1)) --zero;
  return static_cast<int>((c - zero) % 10);
}

uint32_t simple_lower(uint32_t c) {
  return has_case_mapping(c) ? map_simple(tables::kToLower, c) : c;
}

Mapped to_upper(uint32_t c) {
  Mapped out{{c, 0, 0}};
  if (has_case_mapping(c) && !map_special(tables::kSpecialUpper, c, out))
    out.codes[0] = map_simple(tables::kToUpper, c);
  return out;
}
Mapped to_lower(uint32_t c) {
  Mapped out{{c, 0, 0}};
  if (has_case_mapping(c) && !map_special(tables::kSpecialLower, c, out))
    out.codes[0] = map_simple(tables::kToLower, c);
  return out;
}
Mapped to_title(uint32_t c) {
  Mapped out{{c, 0, 0}};
  if (has_case_mapping(c) && !map_special(tables::kSpecialTitle, c, out))
    out.codes[0] = map_simple(tables::kToUpper, c);
  return out;
}

}  // namespace hearth::unicode
