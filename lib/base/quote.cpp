// Escaping and cutting of text for error messages.
#include "lib/base/quote.h"

#include <cstddef>

#include "lib/base/concat.h"

namespace hearth {
namespace {

void append_hex(std::string& text, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  text.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
}

/// Bytes of the printable character at the begin of `text`; 0 when there is none.
size_t printable_length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = at(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  unsigned code = lead & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if (at(i) >> 6 != 2) return 0;
    code = code << 6 | (at(i) & 0x3f);
  }
  constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xc2 || lead > 0xf4 || code < kLeast[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  const bool turns = code == 0x061c || (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                     (code >= 0x2066 && code <= 0x2069);
  return code < 0xa0 || turns || code == 0xfeff ? 0 : n;
}

}  // namespace

void detail::put(std::string& to, Quoted quoted) {
  constexpr size_t kMaxShown = 80;
  const std::string_view name = quoted.name;
  to += '\'';
  for (const char c : name.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      to += c;
    } else {
      append_hex(to, byte);
    }
  }
  to += name.size() > kMaxShown ? "...'" : "'";
}

std::string quote(std::string_view name) {
  return concat(quoted(name));
}

bool is_one_line(std::string_view message) {
  if (message.size() > kMaxMessageBytes) return false;
  while (!message.empty()) {
    const size_t n = printable_length(message);
    if (n == 0) return false;
    message.remove_prefix(n);
  }
  return true;
}

std::string one_line(std::string_view message) {
  constexpr std::string_view kCut = "...";
  constexpr size_t kLongest = 4;  // of a character or an escaped byte
  std::string line;
  while (!message.empty()) {
    if (line.size() + kLongest + kCut.size() > kMaxMessageBytes) return line.append(kCut);
    const size_t n = printable_length(message);
    if (n > 0) {
      line.append(message.substr(0, n));
    } else {
      append_hex(line, static_cast<unsigned char>(message.front()));
    }
    message.remove_prefix(n > 0 ? n : 1);
  }
  return line;
}

}  // namespace hearth
