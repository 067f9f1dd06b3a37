// A parser of GBNF by recursive descent; the depth of parentheses is bounded.
#include "lib/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "lib/base/concat.h"
#include "lib/unicode/utf8.h"

namespace hearth::grammar {
namespace {

constexpr int kMaxParentheses = 100;
constexpr int32_t kMaxRepeats = 2000;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class GbnfParser {
 public:
  GbnfParser(std::string_view text, const Tokenizer* tokenizer) : text_(text), tokenizer_(tokenizer) {}

  Result<ExprPool> run() {
    rule_number("root");
    skip_space(true);
    while (!failed() && pos_ < text_.size()) parse_rule();
    if (!failed()) check_defined();
    if (!failed()) check_repeated();
    if (failed()) return Error{ErrorCode::kFormat, "grammar: " + problem_};
    return std::move(pool_);
  }

 private:
  bool failed() const { return !problem_.empty(); }
  char peek(size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
  ExprId fail(const std::string& what);
  void skip_space(bool newlines);
  std::string_view read_name();
  uint32_t rule_number(std::string_view name);
  void check_defined();
  void check_repeated();

  void parse_rule();
  ExprId parse_choices(int depth);
  ExprId parse_sequence(int depth);
  std::optional<ExprId> parse_item(int depth);
  ExprId parse_literal();
  ExprId parse_class();
  ExprId parse_token();
  ExprId parse_group(int depth);
  bool parse_repetition(std::optional<ExprId>& last, std::vector<ExprId>& parts);
  bool parse_bounds(int32_t& min, int32_t& max);
  int32_t read_number();
  uint32_t read_character();
  uint32_t read_escape();

  std::string_view text_;
  const Tokenizer* tokenizer_;
  size_t pos_ = 0;
  std::string problem_;
  int n_repetitions_ = 0;       ///< of the last item
  bool last_empty_ = false;     ///< the last item has a choice without anything in it
  bool choices_empty_ = false;  ///< the last list of choices has one
  std::vector<bool> empty_rules_;
  std::vector<std::pair<uint32_t, size_t>> repeated_rules_;  ///< without limit, and where
  ExprPool pool_;
  std::map<std::string, uint32_t, std::less<>> numbers_;
};

/// Remembers the first problem, with its place, and goes to the end of the text.
ExprId GbnfParser::fail(const std::string& what) {
  if (!failed()) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < pos_ && i < text_.size(); ++i) {
      column = text_[i] == '\n' ? 1 : column + 1;
      line += text_[i] == '\n';
    }
    problem_ = concat("line ", line, ", column ", column, ": ", what);
  }
  pos_ = text_.size();
  return pool_.exprs.empty() ? pool_.empty() : 0;
}

void GbnfParser::skip_space(bool newlines) {
  while (pos_ < text_.size()) {
    const char c = text_[pos_];
    if (c == '#') {
      while (pos_ < text_.size() && text_[pos_] != '\r' && text_[pos_] != '\n') ++pos_;
    } else if (c == ' ' || c == '\t' || (newlines && (c == '\r' || c == '\n'))) {
      ++pos_;
    } else {
      return;
    }
  }
}

std::string_view GbnfParser::read_name() {
  const size_t begin = pos_;
  while (is_word(peek())) ++pos_;
  if (pos_ == begin) fail("expected a name");
  return text_.substr(begin, pos_ - begin);
}

uint32_t GbnfParser::rule_number(std::string_view name) {
  const auto known = numbers_.find(name);
  if (known != numbers_.end()) return known->second;
  const uint32_t number = pool_.add_rule(std::string(name));
  numbers_.emplace(name, number);
  return number;
}

void GbnfParser::check_defined() {
  for (const auto& [name, body] : pool_.rules) {
    if (body == kUndefined) problem_ = concat("rule ", name, " is not defined");
    if (failed()) return;
  }
}

/// Repeating without limit what has an empty choice is refused, as llama.cpp does.
void GbnfParser::check_repeated() {
  for (const auto& [rule, at] : repeated_rules_) {
    if (rule >= empty_rules_.size() || !empty_rules_[rule]) continue;
    pos_ = at;
    fail("what may be empty is repeated without limit");
    return;
  }
}

void GbnfParser::parse_rule() {
  const std::string_view name = read_name();
  skip_space(false);
  if (text_.substr(std::min(pos_, text_.size()), 3) != "::=") {
    fail("expected ::= after the name of a rule");
    return;
  }
  pos_ += 3;
  skip_space(true);
  const uint32_t number = rule_number(name);
  const ExprId body = parse_choices(0);
  pool_.define(number, body);
  empty_rules_.resize(pool_.rules.size());
  empty_rules_[number] = choices_empty_;
  if (pos_ < text_.size() && peek() != '\r' && peek() != '\n') fail("expected the end of the line");
  skip_space(true);
}

ExprId GbnfParser::parse_choices(int depth) {
  const auto is_empty = [&](ExprId id) { return pool_.exprs[id].op == Op::kBytes && pool_.exprs[id].b == 0; };
  std::vector<ExprId> choices{parse_sequence(depth)};
  while (peek() == '|') {
    ++pos_;
    skip_space(true);
    choices.push_back(parse_sequence(depth));
  }
  choices_empty_ = std::any_of(choices.begin(), choices.end(), is_empty);
  return pool_.alt(std::move(choices));
}

ExprId GbnfParser::parse_sequence(int depth) {
  std::vector<ExprId> parts;
  std::optional<ExprId> last;  // what a repetition refers to
  while (pos_ < text_.size()) {
    if (parse_repetition(last, parts)) {
      skip_space(depth > 0);
      continue;
    }
    const bool is_group = peek() == '(';
    last = parse_item(depth);
    last_empty_ = is_group && choices_empty_;
    n_repetitions_ = 0;
    if (!last) break;
    parts.push_back(*last);
    skip_space(depth > 0);
  }
  return parts.empty() ? pool_.empty() : pool_.seq(std::move(parts));
}

std::optional<ExprId> GbnfParser::parse_item(int depth) {
  const char c = peek();
  if (c == '"') return parse_literal();
  if (c == '[') return parse_class();
  if (c == '<' || c == '!') return parse_token();
  if (c == '(') return parse_group(depth);
  if (is_word(c)) return pool_.rule(rule_number(read_name()));
  if (c != '.') return std::nullopt;
  ++pos_;
  return pool_.chars(CodeSet::all(), Encoding::kPlain);
}

ExprId GbnfParser::parse_literal() {
  std::string bytes;
  ++pos_;
  while (peek() != '"') {
    if (pos_ >= text_.size()) return fail("a text has no closing quote");
    utf8::append(bytes, read_character());
  }
  ++pos_;
  return pool_.bytes(bytes);
}

ExprId GbnfParser::parse_class() {
  CodeSet set;
  ++pos_;
  const bool negated = peek() == '^';
  pos_ += negated;
  while (peek() != ']') {
    if (pos_ >= text_.size()) return fail("a class of characters has no closing bracket");
    const uint32_t lo = read_character();
    uint32_t hi = lo;
    if (peek() == '-' && peek(1) != ']') {
      ++pos_;
      if (pos_ >= text_.size()) return fail("a range of characters has no end");
      hi = read_character();
    }
    set.add(lo, hi);
  }
  ++pos_;
  return pool_.chars(negated ? set.inverted() : set, Encoding::kPlain);
}

/// <[id]> or <text of one token>, with ! before it for any other token.
ExprId GbnfParser::parse_token() {
  const bool any_other = peek() == '!';
  pos_ += any_other;
  if (peek() != '<') return fail("expected < after !");
  const size_t end = text_.find('>', pos_);
  if (end == std::string_view::npos) return fail("a token has no closing >");
  if (!tokenizer_) return fail("tokens can be named only with a tokenizer");
  const std::string_view name = text_.substr(pos_, end + 1 - pos_);
  Token id = -1;
  if (peek(1) == '[') {
    pos_ += 2;
    id = read_number();
    if (peek() != ']') return fail("expected ]> after the number of a token");
  } else {
    const Result<std::vector<Token>> ids = tokenizer_->encode(name, {.parse_special = true});
    if (ids && ids->size() == 1) id = (*ids)[0];
  }
  if (id < 0 || id >= tokenizer_->n_vocab()) return fail(concat(name, " is not one token"));
  pos_ = end + 1;
  return pool_.token(id, any_other);
}

ExprId GbnfParser::parse_group(int depth) {
  if (depth >= kMaxParentheses) return fail(concat("more than ", kMaxParentheses, " parentheses inside each other"));
  ++pos_;
  skip_space(true);
  const ExprId body = parse_choices(depth + 1);
  if (peek() != ')') return fail("expected )");
  ++pos_;
  return body;
}

/// * + ? {m} {m,} {m,n} after an item.
bool GbnfParser::parse_repetition(std::optional<ExprId>& last, std::vector<ExprId>& parts) {
  int32_t min = 0, max = kUnbounded;
  const char c = peek();
  if (c != '*' && c != '+' && c != '?' && c != '{') return false;
  const bool is_empty = last && pool_.exprs[*last].op == Op::kBytes && pool_.exprs[*last].b == 0;
  if (!last || is_empty) {
    fail("nothing stands before this repetition");
    return false;
  }
  ++pos_;
  if (c == '+') min = 1;
  if (c == '?') max = 1;
  if (c == '{' && !parse_bounds(min, max)) return false;
  if (++n_repetitions_ > kMaxParentheses) {
    fail(concat("more than ", kMaxParentheses, " repetitions of one item"));
    return false;
  }
  if (max == kUnbounded && last_empty_) {
    fail("what may be empty is repeated without limit");
    return false;
  }
  const Expr& item = pool_.exprs[*last];
  if (max == kUnbounded && item.op == Op::kRule) repeated_rules_.emplace_back(item.a, pos_);
  last_empty_ = min == 0;
  *last = pool_.repeat(*last, min, max);
  parts.back() = *last;
  return true;
}

bool GbnfParser::parse_bounds(int32_t& min, int32_t& max) {
  skip_space(false);
  min = read_number();
  skip_space(false);
  max = min;
  if (peek() == ',') {
    ++pos_;
    skip_space(false);
    max = is_digit(peek()) ? read_number() : kUnbounded;
    skip_space(false);
  }
  if (!failed() && peek() != '}') fail("expected }");
  if (!failed() && (min > kMaxRepeats || max > kMaxRepeats)) fail("more than 2000 repetitions");
  if (!failed() && max != kUnbounded && max < min) fail("fewer repetitions at most than at least");
  if (!failed()) ++pos_;
  return !failed();
}

int32_t GbnfParser::read_number() {
  int64_t n = 0;
  if (!is_digit(peek())) fail("expected a number");
  for (; is_digit(peek()); ++pos_) n = std::min<int64_t>(INT32_MAX, n * 10 + (peek() - '0'));
  return static_cast<int32_t>(n);
}

uint32_t GbnfParser::read_character() {
  if (peek() == '\\') return read_escape();
  const utf8::CodePoint c = utf8::decode(text_.data() + pos_, text_.data() + text_.size());
  pos_ += c.n_bytes;
  return c.value;
}

uint32_t GbnfParser::read_escape() {
  ++pos_;
  const char c = peek();
  ++pos_;
  const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  uint32_t code = 0;
  for (int i = 0; i < digits; ++i, ++pos_) {
    const char d = peek();
    const bool letter = (d >= 'a' && d <= 'f') || (d >= 'A' && d <= 'F');
    if (!letter && !is_digit(d)) return fail("expected hexadecimal digits");
    code = code << 4 | static_cast<uint32_t>(letter ? (d | 32) - 'a' + 10 : d - '0');
  }
  if (code > kMaxCode) return fail("there is no such character");
  if (digits > 0) return code;
  switch (c) {
    case 't': return '\t';
    case 'r': return '\r';
    case 'n': return '\n';
    case '\\':
    case '"':
    case '[':
    case '-':
    case ']': return static_cast<uint8_t>(c);
    default: --pos_; return fail("unknown escape");
  }
}

}  // namespace

Result<ExprPool> read_gbnf(std::string_view text, const Tokenizer* tokenizer) {
  return GbnfParser(text, tokenizer).run();
}

}  // namespace hearth::grammar
