// The state machine of Jinja's lexer, written out by hand: text, comments, raw blocks, and tags.
#include "lib/jinja/lexer.h"

#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/number_format.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja {

std::string normalize_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

Position position_of(std::string_view source, uint32_t offset) {
  Position out;
  size_t start = 0;
  const size_t end = std::min<size_t>(offset, source.size());
  for (size_t i = 0; i < end; ++i) {
    if (source[i] == '\n') {
      ++out.line;
      start = i + 1;
    }
  }
  out.column = static_cast<uint32_t>(unicode::count(source.substr(start, end - start))) + 1;
  return out;
}

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  Lexer(std::string_view source, std::vector<LexToken>& tokens, SyntaxError& error)
      : source_(source), tokens_(tokens), error_(error) {}

  bool run() {
    while (pos_ < source_.size()) {
      if (!lex_text()) return false;
    }
    add(TokenType::kEnd, "", pos_);
    return true;
  }

 private:
  bool fail(std::string message, size_t offset) {
    error_ = {std::move(message), static_cast<uint32_t>(offset)};
    return false;
  }

  void add(TokenType type, std::string_view text, size_t offset) {
    tokens_.push_back({type, std::string(text), static_cast<uint32_t>(offset)});
  }

  bool looking_at(std::string_view text) const { return source_.substr(pos_).starts_with(text); }

  size_t skip_space(size_t pos) const {
    while (pos < source_.size()) {
      const unicode::Char c = unicode::decode(source_, pos);
      if (!unicode::is_space(c.code)) break;
      pos += c.size;
    }
    return pos;
  }

  // Length of `text` without the white space at its end.
  static size_t rstrip(std::string_view text) {
    size_t keep = 0;
    for (size_t pos = 0; pos < text.size();) {
      const unicode::Char c = unicode::decode(text, pos);
      pos += c.size;
      if (!unicode::is_space(c.code)) keep = pos;
    }
    return keep;
  }

  // What is left of the text before a tag: `sign` is '-', '+' or 0.
  std::string_view strip_before(std::string_view text, char sign, bool is_variable) const {
    if (sign == '-') return text.substr(0, rstrip(text));
    if (sign == '+' || is_variable) return text;
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line == 0 && !line_starting_) return text;
    return rstrip(text.substr(line)) == 0 ? text.substr(0, line) : text;
  }

  void add_data(std::string_view text, size_t offset) {
    if (!text.empty()) add(TokenType::kData, text, offset);
  }

  // Ends a match at `end`: remembers whether the next text begins a line.
  void advance(size_t end) {
    if (end > pos_) line_starting_ = source_[end - 1] == '\n';
    pos_ = end;
  }

  bool lex_text() {
    size_t tag = pos_;
    while ((tag = source_.find('{', tag)) != std::string_view::npos) {
      const char next = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
      if (next == '%' || next == '{' || next == '#') break;
      ++tag;
    }
    if (tag == std::string_view::npos) {
      add_data(source_.substr(pos_), pos_);
      pos_ = source_.size();
      return true;
    }
    const char kind = source_[tag + 1];
    const char after = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    const char sign = after == '-' || after == '+' ? after : '\0';
    const std::string_view text = source_.substr(pos_, tag - pos_);
    add_data(strip_before(text, sign, kind == '{'), pos_);
    const size_t body = tag + 2 + (sign ? 1 : 0);
    const size_t raw = kind == '%' ? raw_begin(body) : 0;
    advance(raw ? raw : body);
    if (raw) return lex_raw(tag);
    if (kind == '#') return lex_comment(tag);
    add(kind == '%' ? TokenType::kBlockBegin : TokenType::kVariableBegin, "", tag);
    return lex_tag(kind == '%');
  }

  // End of "raw %}" when that stands at `pos`, else 0.
  size_t raw_begin(size_t pos) const {
    pos = skip_space(pos);
    if (!source_.substr(pos).starts_with("raw")) return 0;
    pos = skip_space(pos + 3);
    if (source_.substr(pos).starts_with("-%}")) return skip_space(pos + 3);
    return source_.substr(pos).starts_with("%}") ? pos + 2 : 0;
  }

  // End of a closing mark such as "%}" at `pos`, with its sign and what it trims; 0 when it is not there.
  size_t closing(size_t pos, std::string_view mark, bool plus_allowed, bool trims_newline) const {
    const std::string_view rest = source_.substr(pos);
    if (rest.starts_with(mark)) {
      const size_t end = pos + 2;
      return trims_newline && end < source_.size() && source_[end] == '\n' ? end + 1 : end;
    }
    if (rest.size() < 3 || rest.substr(1, 2) != mark) return 0;
    if (rest[0] == '-') return skip_space(pos + 3);
    return rest[0] == '+' && plus_allowed ? pos + 3 : 0;
  }

  bool lex_comment(size_t begin) {
    if (pos_ >= source_.size()) return true;  // as Jinja: a comment opened at the very end is no error
    for (size_t at = pos_; (at = source_.find('#', at)) != std::string_view::npos; ++at) {
      if (at + 1 >= source_.size() || source_[at + 1] != '}') continue;
      const bool sign = at > pos_ && (source_[at - 1] == '-' || source_[at - 1] == '+');
      advance(closing(sign ? at - 1 : at, "#}", true, true));
      return true;
    }
    return fail("Missing end of comment tag", begin);
  }

  bool lex_raw(size_t begin) {
    if (pos_ >= source_.size()) return true;
    for (size_t at = pos_; (at = source_.find("{%", at)) != std::string_view::npos; ++at) {
      size_t pos = at + 2;
      char sign = '\0';
      if (pos < source_.size() && (source_[pos] == '-' || source_[pos] == '+')) sign = source_[pos++];
      pos = skip_space(pos);
      if (!source_.substr(pos).starts_with("endraw")) continue;
      const size_t end = closing(skip_space(pos + 6), "%}", true, true);
      if (end == 0) continue;
      add_data(strip_before(source_.substr(pos_, at - pos_), sign, false), pos_);
      advance(end);
      return true;
    }
    return fail("Missing end of raw directive", begin);
  }

  bool lex_tag(bool is_block) {
    brackets_.clear();
    while (pos_ < source_.size()) {
      if (brackets_.empty()) {
        const size_t end = is_block ? closing(pos_, "%}", true, true) : closing(pos_, "}}", false, false);
        if (end != 0) {
          add(is_block ? TokenType::kBlockEnd : TokenType::kVariableEnd, "", pos_);
          advance(end);
          return true;
        }
      }
      if (!lex_item()) return false;
    }
    return true;  // the parser reports the missing end
  }

  bool lex_item() {
    const size_t space = skip_space(pos_);
    if (space != pos_) {
      advance(space);
      return true;
    }
    const char c = source_[pos_];
    if (is_digit(c)) return lex_number();
    if (c == '"' || c == '\'') return lex_string(c);
    if (unicode::is_word(unicode::decode(source_, pos_).code)) return lex_name();
    return lex_operator();
  }

  // End of (\d+_)*\d+ at `pos`; `pos` itself when there is no digit.
  size_t digits_end(size_t pos) const {
    size_t end = pos;
    while (end < source_.size() && is_digit(source_[end])) {
      ++end;
      if (end + 1 < source_.size() && source_[end] == '_' && is_digit(source_[end + 1])) ++end;
    }
    return end;
  }

  size_t exponent_end(size_t pos) const {
    if (pos >= source_.size() || (source_[pos] | 0x20) != 'e') return pos;
    size_t digits = pos + 1;
    if (digits < source_.size() && (source_[digits] == '+' || source_[digits] == '-')) ++digits;
    const size_t end = digits_end(digits);
    return end == digits ? pos : end;
  }

  size_t float_end() const {
    if (pos_ > 0 && source_[pos_ - 1] == '.') return pos_;
    const size_t whole = digits_end(pos_);
    size_t end = whole;
    if (whole < source_.size() && source_[whole] == '.') {
      const size_t fraction = digits_end(whole + 1);
      if (fraction != whole + 1) end = fraction;
    }
    end = exponent_end(end);
    return end == whole ? pos_ : end;
  }

  // End of digits of `alphabet`, each with an optional underscore before it.
  size_t run_end(size_t pos, std::string_view alphabet) const {
    for (;;) {
      size_t digit = pos;
      if (digit < source_.size() && source_[digit] == '_') ++digit;
      if (digit >= source_.size() || alphabet.find(source_[digit]) == std::string_view::npos) return pos;
      pos = digit + 1;
    }
  }

  size_t integer_end() const {
    if (source_[pos_] != '0') return run_end(pos_ + 1, "0123456789");
    const char letter = pos_ + 1 < source_.size() ? static_cast<char>(source_[pos_ + 1] | 0x20) : '\0';
    const std::string_view alphabet = letter == 'x'   ? "0123456789abcdefABCDEF"
                                      : letter == 'o' ? "01234567"
                                      : letter == 'b' ? "01"
                                                      : "";
    const size_t end = alphabet.empty() ? pos_ + 2 : run_end(pos_ + 2, alphabet);
    return end > pos_ + 2 ? end : run_end(pos_ + 1, "0");
  }

  bool lex_number() {
    const size_t float_stop = float_end();
    const bool is_float = float_stop != pos_;
    const size_t end = is_float ? float_stop : integer_end();
    std::string digits(source_.substr(pos_, end - pos_));
    std::erase(digits, '_');
    add(is_float ? TokenType::kFloat : TokenType::kInteger, digits, pos_);
    if (is_float) tokens_.back().number = parse_float(digits).value_or(0);
    advance(end);
    return true;
  }

  bool lex_name() {
    size_t end = pos_;
    while (end < source_.size()) {
      const unicode::Char c = unicode::decode(source_, end);
      if (!unicode::is_word(c.code)) break;
      end += c.size;
    }
    const uint32_t first = unicode::decode(source_, pos_).code;
    if (first != '_' && !unicode::is_alpha(first)) return fail("Invalid character in identifier", pos_);
    add(TokenType::kName, source_.substr(pos_, end - pos_), pos_);
    advance(end);
    return true;
  }

  bool lex_string(char quote) {
    size_t end = pos_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return fail(concat("unexpected char '", quote, "'"), pos_);
    std::string value;
    if (!unescape(source_.substr(pos_ + 1, end - pos_ - 1), value)) return false;
    add(TokenType::kString, value, pos_);
    advance(end + 1);
    return true;
  }

  bool hex_escape(std::string_view text, size_t& i, size_t digits, std::string& out) {
    uint32_t code = 0;
    size_t n = 0;
    for (; n < digits && i + n < text.size(); ++n) {
      const char c = static_cast<char>(text[i + n] | 0x20);
      if (is_digit(text[i + n])) {
        code = code * 16 + static_cast<uint32_t>(text[i + n] - '0');
      } else if (c >= 'a' && c <= 'f') {
        code = code * 16 + static_cast<uint32_t>(c - 'a') + 10;
      } else {
        break;
      }
    }
    if (n < digits || code > 0x10FFFF) return fail("truncated or illegal escape in a string", pos_);
    i += digits;
    // A pair of surrogates is one character; alone they cannot be printed.
    if (code >= 0xD800 && code < 0xDC00 && text.substr(i).starts_with("\\u")) {
      std::string low_text;
      size_t j = i + 2;
      uint32_t low = 0;
      for (; j < text.size() && j < i + 6; ++j) {
        const char c = static_cast<char>(text[j] | 0x20);
        low = low * 16 + static_cast<uint32_t>(is_digit(text[j]) ? c - '0' : c - 'a' + 10);
      }
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
        i += 6;
      }
    }
    unicode::encode(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return true;
  }

  // Python's unicode-escape codec. A backslash before a character outside ASCII shows that character's own escape.
  bool unescape(std::string_view text, std::string& out) {
    for (size_t i = 0; i < text.size();) {
      if (text[i] != '\\') {
        out += text[i++];
        continue;
      }
      if (++i >= text.size()) return fail("\\ at end of string", pos_);
      const char c = text[i];
      if (static_cast<uint8_t>(c) >= 0x80) {
        const unicode::Char wide = unicode::decode(text, i);
        const size_t digits = wide.code > 0xFFFF ? 8 : wide.code > 0xFF ? 4 : 2;
        out += "\\";
        out += digits == 8 ? 'U' : digits == 4 ? 'u' : 'x';
        for (size_t d = digits; d-- > 0;) out += "0123456789abcdef"[wide.code >> (4 * d) & 15];
        i += wide.size;
        continue;
      }
      ++i;
      static constexpr std::string_view kFrom = "\\'\"abfnrtv";
      static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
      if (const size_t at = kFrom.find(c); at != std::string_view::npos) {
        out += kTo[at];
      } else if (c == '\n') {
        continue;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        if (!hex_escape(text, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, out)) return false;
      } else if (c >= '0' && c <= '7') {
        uint32_t code = static_cast<uint32_t>(c - '0');
        for (int n = 1; n < 3 && i < text.size() && text[i] >= '0' && text[i] <= '7'; ++n) {
          code = code * 8 + static_cast<uint32_t>(text[i++] - '0');
        }
        unicode::encode(out, code);
      } else if (c == 'N') {
        return fail("\\N{...} escapes are not supported", pos_);
      } else {
        out += '\\';
        out += c;
      }
    }
    return true;
  }

  bool lex_operator() {
    static constexpr std::string_view kLong[] = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
    std::string_view op;
    for (const std::string_view candidate : kLong) {
      if (looking_at(candidate)) op = candidate;
    }
    if (op.empty() && kShort.find(source_[pos_]) != std::string_view::npos) op = source_.substr(pos_, 1);
    if (op.empty()) {
      return fail(concat("unexpected char '", source_.substr(pos_, unicode::decode(source_, pos_).size), "'"), pos_);
    }
    const char c = op.size() == 1 ? op[0] : '\0';
    if (c == '(' || c == '[' || c == '{') brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty()) return fail(concat("unexpected '", c, "'"), pos_);
      if (brackets_.back() != c) {
        return fail(concat("unexpected '", c, "', expected '", brackets_.back(), "'"), pos_);
      }
      brackets_.pop_back();
    }
    add(TokenType::kOperator, op, pos_);
    advance(pos_ + op.size());
    return true;
  }

  std::string_view source_;
  std::vector<LexToken>& tokens_;
  SyntaxError& error_;
  size_t pos_ = 0;
  bool line_starting_ = true;
  std::string brackets_;  // closing brackets that are awaited
};

}  // namespace

bool tokenize(std::string_view source, std::vector<LexToken>& tokens, SyntaxError& error) {
  return Lexer(source, tokens, error).run();
}

}  // namespace hearth::jinja
