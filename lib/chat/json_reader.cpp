// The JSON reader (RFC 8259, with Python's NaN and Infinity).
#include <charconv>
#include <cmath>

#include "lib/chat/json.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

class Reader {
 public:
  Reader(Heap& heap, std::string_view text, bool trusted) : heap_(heap), text_(text), trusted_(trusted) {}

  bool read_document(Value& out, std::string& error) {
    const bool ok = read_value(out, 0) && at_end();
    if (!ok) error = describe();
    return ok;
  }

 private:
  bool fail(const char* what) {
    if (!problem_) problem_ = what;
    return false;
  }

  std::string describe() const {
    size_t line = 1, start = 0;
    const size_t pos = std::min(pos_, text_.size());
    for (size_t i = 0; i < pos; ++i) {
      if (text_[i] == '\n') {
        ++line;
        start = i + 1;
      }
    }
    return "JSON, line " + std::to_string(line) + ", column " + std::to_string(pos - start + 1) + ": " +
           (problem_ ? problem_ : "malformed");
  }

  void skip_space() {
    while (pos_ < text_.size() &&
           (text_[pos_] == ' ' || text_[pos_] == '\n' || text_[pos_] == '\r' || text_[pos_] == '\t')) {
      ++pos_;
    }
  }

  bool at_end() {
    skip_space();
    return pos_ == text_.size() || fail("text after the document");
  }

  bool accept(char c) {
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  bool accept(std::string_view word) {
    if (!text_.substr(pos_).starts_with(word)) return false;
    pos_ += word.size();
    return true;
  }

  bool read_value(Value& out, int depth) {
    if (depth > kMaxJsonDepth) return fail("nested too deeply");
    if (!heap_.has_room(64)) return fail("too large");
    skip_space();
    if (pos_ >= text_.size()) return fail("a value is missing");
    switch (text_[pos_]) {
      case '{': return read_object(out, depth);
      case '[': return read_array(out, depth);
      case '"': return read_string(out);
      default: break;
    }
    if (accept("null") || accept("true") || accept("false")) {
      const char last = text_[pos_ - 2];
      out = last == 'l' ? Value() : Value(last == 'u');
      return true;
    }
    if (accept("NaN")) return out = Value(std::nan("")), true;
    if (accept("Infinity")) return out = Value(HUGE_VAL), true;
    if (accept("-Infinity")) return out = Value(-HUGE_VAL), true;
    return read_number(out);
  }

  size_t skip_digits() {
    const size_t begin = pos_;
    while (pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '9') ++pos_;
    return pos_ - begin;
  }

  bool read_number(Value& out) {
    const size_t begin = pos_;
    accept('-');
    const bool zero = pos_ < text_.size() && text_[pos_] == '0';
    const size_t whole = skip_digits();
    if (whole == 0) return fail("a value is expected");
    if (zero && whole > 1) return fail("a number begins with 0");
    bool is_float = false;
    if (accept('.')) {
      is_float = true;
      if (skip_digits() == 0) return fail("digits are missing after the point");
    }
    if (accept('e') || accept('E')) {
      is_float = true;
      if (!accept('+')) accept('-');
      if (skip_digits() == 0) return fail("digits are missing in the exponent");
    }
    const std::string_view number = text_.substr(begin, pos_ - begin);
    if (is_float) {
      double value = 0;
      const auto end = std::from_chars(number.data(), number.data() + number.size(), value);
      if (end.ec == std::errc::result_out_of_range) {
        const size_t e = number.find_first_of("eE");
        const bool tiny = e != std::string_view::npos && number.substr(e).find('-') != std::string_view::npos;
        value = tiny ? 0.0 : HUGE_VAL;
        if (number.front() == '-') value = -value;
      }
      out = Value(value);
      return true;
    }
    int64_t value = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc()) {
      out = Value(value);
      return true;
    }
    const bool negative = number.front() == '-';
    std::optional<BigInt> big = BigInt::parse(number.substr(negative ? 1 : 0), 10);
    if (!big) return fail("an integer is too long");
    out = Value(new BigNumber(heap_, negative ? big->negated() : *big));
    return true;
  }

  bool read_hex4(uint32_t& out) {
    if (text_.size() - pos_ < 4) return fail("a \\u escape is cut short");
    const char* begin = text_.data() + pos_;
    const auto end = std::from_chars(begin, begin + 4, out, 16);
    if (end.ptr != begin + 4) return fail("a \\u escape needs four hexadecimal digits");
    pos_ += 4;
    return true;
  }

  bool read_escape(std::string& out) {
    if (pos_ >= text_.size()) return fail("a string does not end");
    const char c = text_[pos_++];
    switch (c) {
      case '"':
      case '\\':
      case '/': out += c; return true;
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': break;
      default: return fail("an unknown escape");
    }
    uint32_t code = 0;
    if (!read_hex4(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(pos_).starts_with("\\u")) {
      const size_t before = pos_;
      uint32_t low = 0;
      pos_ += 2;
      if (!read_hex4(low)) return false;
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
      } else {
        pos_ = before;
      }
    }
    unicode::encode(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
  }

  bool read_raw_string(std::string& out) {
    if (!accept('"')) return fail("a string is expected");
    for (;;) {
      const size_t begin = pos_;
      while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\\' &&
             static_cast<uint8_t>(text_[pos_]) >= 0x20)
        ++pos_;
      out.append(text_.substr(begin, pos_ - begin));
      if (pos_ >= text_.size()) return fail("a string does not end");
      if (accept('"')) return true;
      if (!accept('\\')) return fail("a control character in a string");
      if (!read_escape(out)) return false;
    }
  }

  bool read_string(Value& out) {
    std::string text;
    if (!read_raw_string(text)) return false;
    if (!heap_.has_room(text.size())) return fail("too large");
    out = Value(new String(heap_, Text(std::move(text), trusted_), false));
    return true;
  }

  bool read_array(Value& out, int depth) {
    auto* list = new Sequence(heap_, Kind::kList);
    out = Value(list);
    ++pos_;
    skip_space();
    if (accept(']')) return true;
    for (;;) {
      Value item;
      if (!read_value(item, depth + 1)) return false;
      list->push(std::move(item));
      skip_space();
      if (accept(']')) return true;
      if (!accept(',')) return fail("a comma or ] is expected");
    }
  }

  bool read_object(Value& out, int depth) {
    auto* dict = new Dict(heap_);
    out = Value(dict);
    ++pos_;
    skip_space();
    if (accept('}')) return true;
    for (;;) {
      Value key, item;
      skip_space();
      if (!read_string(key)) return false;
      skip_space();
      if (!accept(':')) return fail("a colon is expected");
      if (!read_value(item, depth + 1)) return false;
      dict->set(std::move(key), std::move(item));
      skip_space();
      if (accept('}')) return true;
      if (!accept(',')) return fail("a comma or } is expected");
    }
  }

  Heap& heap_;
  std::string_view text_;
  const bool trusted_;
  size_t pos_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace

bool read_json(Heap& heap, std::string_view text, bool trusted, Value& out, std::string& error) {
  return Reader(heap, text, trusted).read_document(out, error);
}

}  // namespace hearth::jinja
