// Characters, cells and escapes.
#include "text_width.h"

#include <cstdio>

#include "console.h"

namespace hearth_tool {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// One character at the front of `text`, and the bytes that it takes (1 for a byte that is none).
char32_t decode(std::string_view text, size_t& n_bytes) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  n_bytes = 1;
  if (first < 0x80) return first;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return kReplacement;
  char32_t c = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return kReplacement;
    c = c << 6 | (byte(i) & 0x3F);
  }
  const char32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return kReplacement;
  n_bytes = length;
  return c;
}

void append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int n = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xFF00u >> (n + 1) & 0xFFu) | c >> 6 * n);
  for (int i = n - 1; i >= 0; --i) out += static_cast<char>(0x80 | (c >> 6 * i & 0x3F));
}

/// Controls, and the characters that change the direction of what follows.
bool steers(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0x2028 || c == 0x2029 || c == 0x200E || c == 0x200F;
}

void append_escaped(std::string& out, char32_t c) {
  char escape[16];
  std::snprintf(escape, sizeof escape, c < 0x80 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(c));
  out += escape;
}

}  // namespace

std::u32string from_utf8(std::string_view text) {
  std::u32string out;
  for (size_t at = 0, n = 0; at < text.size(); at += n) out += decode(text.substr(at), n);
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append(out, c);
  return out;
}

int cells_of(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F ? 0 : 1;
  return console::cells_of(c);
}

int cells_of(std::u32string_view text) {
  int cells = 0;
  for (const char32_t c : text) cells += cells_of(c);
  return cells;
}

std::string printable(std::string_view text, bool keep_lines, size_t max_bytes) {
  std::string out;
  for (size_t at = 0, n = 0; at < text.size(); at += n) {
    const char32_t c = decode(text.substr(at), n);
    const size_t before = out.size();
    if (c == '\n' || c == '\t') {
      out += keep_lines ? static_cast<char>(c) : ' ';
    } else if (steers(c)) {
      append_escaped(out, c);
    } else {
      append(out, c);
    }
    if (out.size() <= max_bytes) continue;
    out.resize(before);
    while (out.size() + 3 > max_bytes && !out.empty()) {  // room for the dots, at a character's end
      while (out.size() > 1 && (out.back() & 0xC0) == 0x80) out.pop_back();
      out.pop_back();
    }
    return out + "...";
  }
  return out;
}

}  // namespace hearth_tool
