// Lenient UTF-8: what byte-level tokenizers see of any bytes.
#include "lib/unicode/utf8.h"

#include <cstring>

namespace hearth::utf8 {
namespace {

bool is_continuation(char c) {
  return (static_cast<uint8_t>(c) & 0xC0) == 0x80;
}

/// Bytes of the shortest form.
uint32_t encoded_length(uint32_t code_point) {
  if (code_point < 0x80) return 1;
  if (code_point < 0x800) return 2;
  return code_point < 0x10000 ? 3 : 4;
}

}  // namespace

CodePoint decode(const char* p, const char* end) {
  const auto lead = static_cast<uint8_t>(*p);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xC0 || lead >= 0xF8) return {kReplacement, 1};
  const uint32_t n = announced_length(lead);
  if (static_cast<size_t>(end - p) < n) return {kReplacement, 1};
  uint32_t value = lead & (0x7Fu >> n);
  for (uint32_t i = 1; i < n; ++i) {
    if (!is_continuation(p[i])) return {kReplacement, 1};
    value = value << 6 | (static_cast<uint8_t>(p[i]) & 0x3Fu);
  }
  if (value > 0x10FFFF) return {kReplacement, 1};
  return {value, n};
}

void append(std::string& out, uint32_t c) {
  char bytes[4];
  const uint32_t n = encoded_length(c);
  switch (n) {
    case 1: bytes[0] = static_cast<char>(c); break;
    case 2:
      bytes[0] = static_cast<char>(0xC0 | c >> 6);
      bytes[1] = static_cast<char>(0x80 | (c & 0x3F));
      break;
    case 3:
      bytes[0] = static_cast<char>(0xE0 | c >> 12);
      bytes[1] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
      bytes[2] = static_cast<char>(0x80 | (c & 0x3F));
      break;
    default:
      bytes[0] = static_cast<char>(0xF0 | c >> 18);
      bytes[1] = static_cast<char>(0x80 | (c >> 12 & 0x3F));
      bytes[2] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
      bytes[3] = static_cast<char>(0x80 | (c & 0x3F));
  }
  out.append(bytes, n);
}

bool is_clean(std::string_view text) {
  const char* p = text.data();
  const char* end = p + text.size();
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 && (std::memcpy(&eight, p, 8), (eight & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    if (static_cast<uint8_t>(*p) < 0x80) {
      ++p;
      continue;
    }
    const CodePoint c = decode(p, end);
    if (c.n_bytes != encoded_length(c.value)) return false;
    p += c.n_bytes;
  }
  return true;
}

std::string cleaned(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const CodePoint c = decode(p, end);
    append(out, c.value);
    p += c.n_bytes;
  }
  return out;
}

size_t incomplete_tail(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<uint8_t>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte >= 0xC0) return byte < 0xF8 && announced_length(byte) > back ? back : 0;
  }
  return 0;
}

}  // namespace hearth::utf8
