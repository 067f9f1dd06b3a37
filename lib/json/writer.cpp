// Escapes, numbers, and where commas and new lines go.
#include "lib/json/writer.h"

#include <charconv>
#include <cmath>

#include "lib/unicode/characters.h"

namespace hearth::json {

void append_escape(std::string& out, uint32_t code) {
  constexpr std::string_view kControls = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
  const size_t simple = code < 0x80 ? kControls.find(static_cast<char>(code)) : std::string_view::npos;
  if (simple != std::string_view::npos) {
    out += '\\';
    out += kLetters[simple];
    return;
  }
  if (code >= 0x10000) {
    append_escape(out, 0xD800 + ((code - 0x10000) >> 10));
    code = 0xDC00 + ((code - 0x10000) & 0x3FF);
  }
  constexpr char kHex[] = "0123456789abcdef";
  const char text[] = {'\\', 'u', kHex[code >> 12 & 15], kHex[code >> 8 & 15], kHex[code >> 4 & 15], kHex[code & 15]};
  out.append(text, sizeof text);
}

void append_string(std::string& out, std::string_view text, bool ascii) {
  out += '"';
  for (size_t pos = 0; pos < text.size();) {
    const unicode::Char c = unicode::decode(text, pos);
    const bool broken = c.code >= 0xDC80 && c.code <= 0xDCFF;
    const uint32_t code = broken ? 0xFFFD : c.code;
    if (code < 0x20 || code == '"' || code == '\\' || (ascii && code >= 0x7F)) {
      append_escape(out, code);
    } else {
      unicode::encode(out, code);
    }
    pos += c.size;
  }
  out += '"';
}

void Writer::new_line() {
  if (indent_ <= 0) return;
  out_ += '\n';
  out_.append(depth_ * static_cast<size_t>(indent_), ' ');
}

void Writer::separate() {
  if (!after_key_) {
    if (!is_first_) out_ += ',';
    new_line();
  }
  is_first_ = after_key_ = false;
}

Writer& Writer::open(char bracket) {
  separate();
  out_ += bracket;
  ++depth_;
  is_first_ = true;
  return *this;
}

Writer& Writer::close(char bracket) {
  if (depth_ > 0) --depth_;
  if (!is_first_) new_line();
  out_ += bracket;
  is_first_ = false;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  separate();
  append_string(out_, name);
  out_ += indent_ > 0 ? ": " : ":";
  after_key_ = true;
  return *this;
}

Writer& Writer::word(std::string_view text) {
  separate();
  out_ += text;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  separate();
  append_string(out_, text);
  return *this;
}

Writer& Writer::integer(int64_t value) {
  return word(std::to_string(value));
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return word({text, static_cast<size_t>(end.ptr - text)});
}

}  // namespace hearth::json
