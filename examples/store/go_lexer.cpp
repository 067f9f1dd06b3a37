// The words of an action: names, fields, variables, numbers, strings with their escapes.
#include "go_lexer.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>

#include "name.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

/// UTF-8 of a character.
void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
            static_cast<char>(0x80 | (c & 63))};
  } else {
    out += {static_cast<char>(0xF0 | (c >> 18 & 7)), static_cast<char>(0x80 | (c >> 12 & 63)),
            static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
  }
}

/// The tokens of one action.
class GoLexer {
 public:
  explicit GoLexer(std::string_view text) : text_(text) {}

  Result<std::vector<GoToken>> all() {
    std::vector<GoToken> tokens;
    for (;;) {
      const size_t before = at_;
      at_ = std::min(text_.find_first_not_of(kGoBlanks, at_), text_.size());
      if (at_ == text_.size()) return tokens;
      GoToken token;
      token.after_blank = at_ > before;
      if (!take(token)) return Error{ErrorCode::kFormat, shown(text_.substr(at_, 20)) + " is not understood"};
      tokens.push_back(std::move(token));
    }
  }

 private:
  bool take(GoToken& token) {
    const char c = text_[at_];
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == '.' && !std::isdigit(static_cast<unsigned char>(next))) {
      ++at_;
      token.kind = is_word(next) ? GoToken::Kind::kField : GoToken::Kind::kDot;
      token.text = word();
      return true;
    }
    if (c == '$') {
      ++at_;
      token.kind = GoToken::Kind::kVariable;
      token.text = word();
      return true;
    }
    if (c == '"' || c == '`' || c == '\'') return take_string(token);
    if (std::isdigit(static_cast<unsigned char>(c)) || ((c == '-' || c == '+' || c == '.') && std::isdigit(next))) {
      const std::string rest(text_.substr(at_, 64));
      char* end = nullptr;
      std::strtod(rest.c_str(), &end);
      token.kind = GoToken::Kind::kNumber;
      token.text = rest.substr(0, static_cast<size_t>(end - rest.c_str()));
      at_ += token.text.size();
      return !token.text.empty();
    }
    if (is_word(c)) {
      token.kind = GoToken::Kind::kWord;
      token.text = word();
      return true;
    }
    token.kind = GoToken::Kind::kSymbol;
    token.text = c == ':' && next == '=' ? ":=" : std::string(1, c);
    at_ += token.text.size();
    return std::string_view("|(),=:=").find(c) != std::string_view::npos;
  }

  std::string word() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  bool take_string(GoToken& token) {
    const char quote = text_[at_++];
    token.kind = quote == '\'' ? GoToken::Kind::kNumber : GoToken::Kind::kString;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] != '\\' || quote == '`') {
        token.text += text_[at_];
      } else if (!take_escape(token.text)) {
        return false;
      }
    }
    if (at_ == text_.size()) return false;
    ++at_;
    // A character constant is the number of its character.
    if (quote == '\'') token.text = std::to_string(token.text.empty() ? 0 : static_cast<unsigned char>(token.text[0]));
    return true;
  }

  bool take_escape(std::string& out) {
    static constexpr std::string_view kNames = "abfnrtv\\\"'", kValues = "\a\b\f\n\r\t\v\\\"'";
    const char c = ++at_ < text_.size() ? text_[at_] : '\0';
    if (const size_t known = kNames.find(c); c != '\0' && known != std::string_view::npos) {
      out += kValues[known];
      return true;
    }
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || at_ + digits >= text_.size()) return false;
    const std::string hex(text_.substr(at_ + 1, digits));
    char* end = nullptr;
    const unsigned long value = std::strtoul(hex.c_str(), &end, 16);
    if (*end != '\0') return false;
    at_ += digits;
    if (c == 'x') {
      out += static_cast<char>(value);
    } else {
      append_utf8(out, static_cast<uint32_t>(value));
    }
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<GoToken>> go_tokens(std::string_view action) {
  return GoLexer(action).all();
}

}  // namespace hearth_store
