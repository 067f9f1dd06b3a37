// UTF-8 decoding, character classes and case mappings over the generated tables.
#include "lib/chat/unicode.h"

#include <algorithm>
#include <iterator>

namespace hearth::jinja::unicode {
namespace {

struct Range {
  uint32_t first, last;
};
struct CaseRange {
  uint32_t first, last;
  uint32_t stride;
  int32_t difference;
};
struct SpecialCase {
  uint32_t code;
  uint32_t to[3];
};

#include "lib/chat/unicode_tables.inc"

template <size_t n>
bool contains(const Range (&ranges)[n], uint32_t c) {
  const Range* at = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                     [](uint32_t code, const Range& range) { return code < range.first; });
  return at != std::begin(ranges) && c <= at[-1].last;
}

template <size_t n>
uint32_t map_simple(const CaseRange (&ranges)[n], uint32_t c) {
  const CaseRange* at = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                         [](uint32_t code, const CaseRange& range) { return code < range.first; });
  if (at == std::begin(ranges)) return c;
  const CaseRange& range = at[-1];
  if (c > range.last || (c - range.first) % range.stride != 0) return c;
  return static_cast<uint32_t>(static_cast<int32_t>(c) + range.difference);
}

template <size_t n, size_t m>
Mapped map_full(const SpecialCase (&special)[n], const CaseRange (&ranges)[m], uint32_t c) {
  const SpecialCase* at = std::lower_bound(std::begin(special), std::end(special), c,
                                           [](const SpecialCase& entry, uint32_t code) { return entry.code < code; });
  if (at != std::end(special) && at->code == c) return {{at->to[0], at->to[1], at->to[2]}};
  return {{map_simple(ranges, c), 0, 0}};
}

bool is_tail(std::string_view text, size_t pos) {
  return pos < text.size() && (static_cast<uint8_t>(text[pos]) & 0xC0) == 0x80;
}

uint32_t tail(std::string_view text, size_t pos) {
  return static_cast<uint8_t>(text[pos]) & 0x3Fu;
}

}  // namespace

Char decode(std::string_view text, size_t pos) {
  const uint32_t lead = static_cast<uint8_t>(text[pos]);
  if (lead < 0x80) return {lead, 1};
  const Char bad{0xDC00 + lead, 1};
  if (lead < 0xC2 || lead > 0xF4 || !is_tail(text, pos + 1)) return bad;
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | tail(text, pos + 1), 2};
  if (!is_tail(text, pos + 2)) return bad;
  if (lead < 0xF0) {
    const uint32_t code = (lead & 0x0F) << 12 | tail(text, pos + 1) << 6 | tail(text, pos + 2);
    return code < 0x800 || (code >= 0xD800 && code <= 0xDFFF) ? bad : Char{code, 3};
  }
  if (!is_tail(text, pos + 3)) return bad;
  const uint32_t code =
      (lead & 0x07) << 18 | tail(text, pos + 1) << 12 | tail(text, pos + 2) << 6 | tail(text, pos + 3);
  return code < 0x10000 || code > 0x10FFFF ? bad : Char{code, 4};
}

void encode(std::string& out, uint32_t code) {
  if (code >= 0xDC80 && code <= 0xDCFF) {
    out.push_back(static_cast<char>(code - 0xDC00));
    return;
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

size_t count(std::string_view text) {
  size_t n = 0;
  for (size_t pos = 0; pos < text.size(); ++n) pos += decode(text, pos).size;
  return n;
}

size_t offset_of(std::string_view text, size_t n) {
  size_t pos = 0;
  for (; n > 0 && pos < text.size(); --n) pos += decode(text, pos).size;
  return pos;
}

bool is_space(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return contains(kSpace, c);
}
bool is_alpha(uint32_t c) {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  return contains(kAlpha, c);
}
bool is_decimal(uint32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : contains(kDecimal, c);
}
bool is_digit(uint32_t c) {
  return is_decimal(c) || contains(kDigit, c);
}
bool is_numeric(uint32_t c) {
  return is_digit(c) || contains(kNumeric, c);
}
bool is_alnum(uint32_t c) {
  return is_alpha(c) || is_numeric(c);
}
bool is_word(uint32_t c) {
  return c == '_' || is_alnum(c);
}
bool is_printable(uint32_t c) {
  return c < 0x7F ? c >= 0x20 : !contains(kUnprintable, c);
}
bool is_lower(uint32_t c) {
  return c < 0x80 ? c >= 'a' && c <= 'z' : contains(kLower, c);
}
bool is_upper(uint32_t c) {
  return c < 0x80 ? c >= 'A' && c <= 'Z' : contains(kUpper, c);
}
bool is_title(uint32_t c) {
  return contains(kTitle, c);
}
bool is_cased(uint32_t c) {
  return is_lower(c) || is_upper(c) || is_title(c);
}
bool is_case_ignorable(uint32_t c) {
  return contains(kCaseIgnorable, c);
}

int decimal_value(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9' ? static_cast<int>(c - '0') : -1;
  const Range* at = std::upper_bound(std::begin(kDecimal), std::end(kDecimal), c,
                                     [](uint32_t code, const Range& range) { return code < range.first; });
  if (at == std::begin(kDecimal) || c > at[-1].last) return -1;
  return static_cast<int>((c - at[-1].first) % 10);
}

Mapped to_upper(uint32_t c) {
  if (c < 0x80) return {{c >= 'a' && c <= 'z' ? c - 32 : c, 0, 0}};
  return map_full(kSpecialUpper, kToUpper, c);
}
Mapped to_lower(uint32_t c) {
  if (c < 0x80) return {{c >= 'A' && c <= 'Z' ? c + 32 : c, 0, 0}};
  return map_full(kSpecialLower, kToLower, c);
}
Mapped to_title(uint32_t c) {
  if (c < 0x80) return to_upper(c);
  return map_full(kSpecialTitle, kToTitle, c);
}

}  // namespace hearth::jinja::unicode
