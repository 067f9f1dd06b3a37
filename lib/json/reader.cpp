// The JSON reader: a state between events, a stack of brackets.
#include "lib/json/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lib/base/concat.h"
#include "lib/base/parse_double.h"
#include "lib/unicode/characters.h"

namespace hearth::json {

Event Reader::fail_at(size_t pos, const char* problem) {
  begin_ = pos;
  problem_ = problem;
  state_ = State::kFailed;
  return Event::kError;
}

std::string Reader::describe(std::string_view problem) const {
  const std::string_view before = text_.substr(0, std::min(begin_, text_.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return concat("JSON, line ", line, ", column ", before.size() - start + 1, ": ", problem);
}

void Reader::skip_space() {
  while (pos_ < text_.size() &&
         (text_[pos_] == ' ' || text_[pos_] == '\n' || text_[pos_] == '\r' || text_[pos_] == '\t')) {
    ++pos_;
  }
}

bool Reader::accept(char c) {
  if (pos_ >= text_.size() || text_[pos_] != c) return false;
  ++pos_;
  return true;
}

bool Reader::accept(std::string_view word) {
  if (!text_.substr(pos_).starts_with(word)) return false;
  pos_ += word.size();
  return true;
}

Event Reader::next() {
  if (state_ == State::kFailed) return Event::kError;
  skip_space();
  begin_ = pos_;
  value_ = {};
  switch (state_) {
    case State::kValue: return read_value();
    case State::kFirstItem: return accept(']') ? close('[') : read_value();
    case State::kFirstKey: return accept('}') ? close('{') : read_key();
    case State::kNextKey: return read_key();
    case State::kAfterValue: return after_value();
    default: return pos_ == text_.size() ? Event::kEnd : fail("text after the document");
  }
}

bool Reader::skip() {
  const size_t outside = open_.size();
  while (open_.size() >= outside) {
    const Event event = next();
    if (event == Event::kError || event == Event::kEnd) return false;
  }
  return true;
}

Event Reader::after_value() {
  const bool in_object = open_.back() == '{';
  if (accept(in_object ? '}' : ']')) return close(open_.back());
  if (!accept(',')) return fail(in_object ? "a comma or } is expected" : "a comma or ] is expected");
  state_ = in_object ? State::kNextKey : State::kValue;
  return next();
}

Event Reader::open(char bracket, Event event, State state) {
  if (open_.size() >= static_cast<size_t>(std::max(options_.max_depth, 0))) return fail("nested too deeply");
  ++pos_;
  open_ += bracket;
  state_ = state;
  return event;
}

Event Reader::close(char bracket) {
  open_.pop_back();
  value_done();
  return bracket == '{' ? Event::kEndObject : Event::kEndArray;
}

Event Reader::read_key() {
  if (pos_ >= text_.size() || text_[pos_] != '"') return fail("a string is expected");
  if (read_string(Event::kKey) == Event::kError) return Event::kError;
  skip_space();
  if (!accept(':')) return fail("a colon is expected");
  state_ = State::kValue;
  return Event::kKey;
}

Event Reader::read_value() {
  if (pos_ >= text_.size()) return fail("a value is missing");
  switch (text_[pos_]) {
    case '{': return open('{', Event::kObject, State::kFirstKey);
    case '[': return open('[', Event::kArray, State::kFirstItem);
    case '"': return read_string(Event::kString);
    case 'n': return read_word("null", Event::kNull);
    case 't': return read_word("true", Event::kTrue);
    case 'f': return read_word("false", Event::kFalse);
    default: break;
  }
  if (options_.python_numbers && (accept("NaN") || accept("Infinity") || accept("-Infinity"))) {
    is_integer_ = false;
    value_ = text_.substr(begin_, pos_ - begin_);
    value_done();
    return Event::kReal;
  }
  return read_number();
}

Event Reader::read_word(std::string_view word, Event event) {
  if (!accept(word)) return fail("a value is expected");
  value_done();
  return event;
}

size_t Reader::skip_digits() {
  const size_t begin = pos_;
  while (pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '9') ++pos_;
  return pos_ - begin;
}

Event Reader::read_number() {
  accept('-');
  const bool zero = pos_ < text_.size() && text_[pos_] == '0';
  const size_t whole = skip_digits();
  if (whole == 0) return fail("a value is expected");
  if (zero && whole > 1) return fail("a number begins with 0");
  is_integer_ = true;
  if (accept('.')) {
    is_integer_ = false;
    if (skip_digits() == 0) return fail("digits are missing after the point");
  }
  if (accept('e') || accept('E')) {
    is_integer_ = false;
    if (!accept('+')) accept('-');
    if (skip_digits() == 0) return fail("digits are missing in the exponent");
  }
  value_ = text_.substr(begin_, pos_ - begin_);
  value_done();
  return is_integer_ ? Event::kInteger : Event::kReal;
}

std::optional<int64_t> Reader::integer() const {
  int64_t value = 0;
  const auto end = std::from_chars(value_.data(), value_.data() + value_.size(), value);
  if (!is_integer_ || end.ec != std::errc() || end.ptr != value_.data() + value_.size()) return std::nullopt;
  return value;
}

double Reader::number() const {
  const bool negative = value_.starts_with('-');
  const std::string_view magnitude = value_.substr(negative ? 1 : 0);
  double value = 0;
  if (magnitude == "NaN") return std::nan("");
  if (magnitude == "Infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  const auto end = parse_double(magnitude, value);
  if (end.ec == std::errc::result_out_of_range) {
    const size_t e = magnitude.find_first_of("eE");
    const bool tiny = e != std::string_view::npos && magnitude.substr(e).find('-') != std::string_view::npos;
    value = tiny ? 0.0 : HUGE_VAL;
  }
  return negative ? -value : value;
}

bool Reader::is_utf8(size_t begin) {
  if (options_.any_bytes) return true;
  for (size_t at = begin; at < pos_;) {
    if (static_cast<uint8_t>(text_[at]) < 0x80) {
      ++at;
      continue;
    }
    const unicode::Char c = unicode::decode(text_.substr(0, pos_), at);
    if (c.code >= 0xDC80 && c.code <= 0xDCFF) return fail_at(at, "a string is not UTF-8"), false;
    at += c.size;
  }
  return true;
}

Event Reader::read_string(Event event) {
  const size_t begin = ++pos_;
  unescaped_.clear();
  size_t plain = begin;  // start of what is not in unescaped_
  for (;;) {
    while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\\' &&
           static_cast<uint8_t>(text_[pos_]) >= 0x20)
      ++pos_;
    if (pos_ >= text_.size()) return fail("a string does not end");
    if (!is_utf8(plain)) return Event::kError;
    if (text_[pos_] != '\\') break;
    unescaped_.append(text_.substr(plain, pos_ - plain));
    ++pos_;
    if (!read_escape()) return Event::kError;
    plain = pos_;
  }
  if (text_[pos_] != '"') return fail("a control character in a string");
  if (plain != begin) unescaped_.append(text_.substr(plain, pos_ - plain));
  value_ = plain == begin ? text_.substr(begin, pos_ - begin) : std::string_view(unescaped_);
  ++pos_;
  value_done();
  return event;
}

bool Reader::read_hex4(uint32_t& out) {
  if (text_.size() - pos_ < 4) return fail("a \\u escape is cut short"), false;
  const char* begin = text_.data() + pos_;
  const auto end = std::from_chars(begin, begin + 4, out, 16);
  if (end.ptr != begin + 4) return fail("a \\u escape needs four hexadecimal digits"), false;
  pos_ += 4;
  return true;
}

/// What follows a backslash; half of a surrogate pair alone becomes U+FFFD.
bool Reader::read_escape() {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  if (pos_ >= text_.size()) return fail("a string does not end"), false;
  const size_t simple = kLetters.find(text_[pos_]);
  if (simple != std::string_view::npos) {
    unescaped_ += kMeanings[simple];
    ++pos_;
    return true;
  }
  if (!accept('u')) return fail("an unknown escape"), false;
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
  unicode::encode(unescaped_, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
  return true;
}

}  // namespace hearth::json
