// Decoding and encoding one character at a time.
#include "lib/unicode/characters.h"

#include "lib/unicode/utf8.h"

namespace hearth::unicode {
namespace {

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
  const bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  utf8::append(out, scalar ? code : utf8::kReplacement);
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

}  // namespace hearth::unicode
