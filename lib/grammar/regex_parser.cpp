// Reads the text of a regular expression.
#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/grammar/regex.h"
#include "lib/unicode/properties.h"
#include "lib/unicode/utf8.h"

namespace hearth::grammar {
namespace {

constexpr int kMaxGroups = 80;
constexpr size_t kMaxRegexNodes = 200'000;

using RegexKind = Regex::Kind;

bool is_digit_code(uint32_t c) {
  return c >= '0' && c <= '9';
}
bool is_letter(uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

CodeSet set_of(std::initializer_list<CodeRange> ranges) {
  CodeSet set;
  for (const CodeRange& r : ranges) set.add(r.lo, r.hi);
  return set;
}

const CodeSet kDigits = set_of({{'0', '9'}});
const CodeSet kWord = set_of({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
const CodeSet kSpace = set_of({{9, 13},
                               {32, 32},
                               {0xA0, 0xA0},
                               {0x1680, 0x1680},
                               {0x2000, 0x200A},
                               {0x2028, 0x2029},
                               {0x202F, 0x202F},
                               {0x205F, 0x205F},
                               {0x3000, 0x3000},
                               {0xFEFF, 0xFEFF}});
const CodeSet kLineEnds = set_of({{10, 10}, {13, 13}, {0x2028, 0x2029}});

/// Characters of a general category, by its short name ("Lu") or first letter ("L"); empty: no such category.
CodeSet category(std::string_view name) {
  constexpr std::string_view kNames = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo";
  constexpr std::pair<std::string_view, std::string_view> kLong[] = {
      {"Letter", "L"},          {"Number", "N"}, {"Punctuation", "P"},       {"Symbol", "S"},
      {"Separator", "Z"},       {"Mark", "M"},   {"Uppercase_Letter", "Lu"}, {"Lowercase_Letter", "Ll"},
      {"Decimal_Number", "Nd"}, {"Other", "C"}};
  for (const auto& [full, brief] : kLong) {
    if (name == full) name = brief;
  }
  CodeSet set;
  if (name.empty() || name.size() > 2) return set;
  for (uint32_t c = 0; c <= kMaxCode; ++c) {
    const auto of = static_cast<size_t>(unicode::general_category(c)) * 2;
    if (kNames.substr(of, name.size()) != name) continue;
    uint32_t end = c;
    while (end < kMaxCode && static_cast<size_t>(unicode::general_category(end + 1)) * 2 == of) ++end;
    set.add(c, end);
    c = end;
  }
  return set;
}

class RegexParser {
 public:
  explicit RegexParser(std::string_view text) : text_(text) {}

  Result<Regex> run() {
    out_.root = parse_choices(0);
    if (!failed() && pos_ < text_.size()) fail("a ) closes nothing");
    if (failed()) return Error{code_, concat("pattern, offset ", problem_at_, ": ", problem_)};
    return std::move(out_);
  }

 private:
  bool failed() const { return !problem_.empty(); }
  bool at_end() const { return pos_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
  bool accept(std::string_view word) {
    if (text_.substr(std::min(pos_, text_.size()), word.size()) != word) return false;
    pos_ += word.size();
    return true;
  }
  uint32_t fail(const std::string& what, ErrorCode code = ErrorCode::kFormat) {
    if (!failed()) problem_ = what, problem_at_ = pos_, code_ = code;
    pos_ = text_.size();
    return 0;
  }
  uint32_t refuse(const std::string& what) {
    return fail(what + " is not supported: it is no regular language", ErrorCode::kUnsupported);
  }
  uint32_t add(Regex::Node node) {
    if (out_.nodes.size() >= kMaxRegexNodes) fail("too long", ErrorCode::kLimit);
    out_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(out_.nodes.size() - 1);
  }
  uint32_t add_set(CodeSet set) { return add({.kind = RegexKind::kSet, .set = std::move(set)}); }

  uint32_t parse_choices(int depth);
  uint32_t parse_sequence(int depth);
  uint32_t parse_atom(int depth);
  uint32_t parse_group(int depth);
  uint32_t parse_quantifiers(uint32_t atom);
  bool parse_bounds(int32_t& min, int32_t& max);
  uint32_t parse_escape();
  uint32_t parse_class();
  CodeSet parse_class_item(bool& is_set);
  bool class_escape(CodeSet& set);
  uint32_t character_escape(bool in_class);
  uint32_t next_code();
  uint32_t hex(int digits);
  uint32_t unicode_escape();

  std::string_view text_;
  size_t pos_ = 0, problem_at_ = 0;
  std::string problem_;
  ErrorCode code_ = ErrorCode::kFormat;
  Regex out_;
};

uint32_t RegexParser::parse_choices(int depth) {
  std::vector<uint32_t> choices{parse_sequence(depth)};
  while (accept("|")) choices.push_back(parse_sequence(depth));
  return choices.size() == 1 ? choices[0] : add({.kind = RegexKind::kAlt, .kids = std::move(choices)});
}

uint32_t RegexParser::parse_sequence(int depth) {
  std::vector<uint32_t> parts;
  while (!at_end() && peek() != '|' && peek() != ')') parts.push_back(parse_quantifiers(parse_atom(depth)));
  return parts.size() == 1 ? parts[0] : add({.kind = RegexKind::kSeq, .kids = std::move(parts)});
}

uint32_t RegexParser::parse_atom(int depth) {
  const char c = peek();
  if (c == '(') return parse_group(depth);
  if (c == '[') return parse_class();
  if (c == '\\') return parse_escape();
  if (c == '*' || c == '+' || c == '?') return fail("nothing stands before this repetition");
  if (accept("^")) return add({.kind = RegexKind::kBegin});
  if (accept("$")) return add({.kind = RegexKind::kEnd});
  if (accept(".")) return add_set(kLineEnds.inverted());
  const uint32_t code = next_code();
  return add_set({code, code});
}

uint32_t RegexParser::parse_group(int depth) {
  if (depth >= kMaxGroups) return fail("too many parentheses inside each other", ErrorCode::kLimit);
  ++pos_;
  if (accept("?=") || accept("?!")) return refuse("looking ahead");
  if (accept("?<=") || accept("?<!")) return refuse("looking back");
  if (accept("?<")) {
    const size_t end = text_.find('>', pos_);
    if (end == std::string_view::npos) return fail("the name of a group has no end");
    pos_ = end + 1;
  } else if (!accept("?:") && peek() == '?') {
    return fail("unknown kind of group", ErrorCode::kUnsupported);
  }
  const uint32_t body = parse_choices(depth + 1);
  if (!failed() && !accept(")")) return fail("a ( is not closed");
  return body;
}

uint32_t RegexParser::parse_quantifiers(uint32_t atom) {
  int32_t min = 0, max = kUnbounded;
  if (failed()) return atom;
  if (accept("+")) {
    min = 1;
  } else if (accept("?")) {
    max = 1;
  } else if (!accept("*") && !parse_bounds(min, max)) {
    return atom;
  }
  accept("?");  // lazy or greedy: the same texts
  if (failed()) return atom;
  const RegexKind kind = out_.nodes[atom].kind;
  if (kind == RegexKind::kBegin || kind == RegexKind::kEnd) return fail("^ or $ is repeated");
  if (peek() == '*' || peek() == '+' || peek() == '?') return fail("a repetition is repeated");
  return add({.kind = RegexKind::kRepeat, .kids = {atom}, .min = min, .max = max});
}

/// {m}, {m,} or {m,n}; anything else is a brace.
bool RegexParser::parse_bounds(int32_t& min, int32_t& max) {
  const size_t begin = pos_;
  const auto number = [&](int32_t& out) {
    if (!is_digit_code(static_cast<uint8_t>(peek()))) return false;
    int64_t n = 0;
    for (; is_digit_code(static_cast<uint8_t>(peek())); ++pos_)
      n = std::min<int64_t>(n * 10 + (peek() - '0'), 1'000'000);
    out = static_cast<int32_t>(n);
    return true;
  };
  bool fits = accept("{") && number(min);
  if (fits) {
    max = min;
    if (accept(",") && !number(max)) max = kUnbounded;
    fits = accept("}");
  }
  if (!fits) pos_ = begin;
  if (fits && max != kUnbounded && max < min) fail("fewer repetitions at most than at least");
  if (fits && (min >= 1'000'000 || max >= 1'000'000)) fail("too many repetitions", ErrorCode::kLimit);
  return fits;
}

uint32_t RegexParser::next_code() {
  const utf8::CodePoint c = utf8::decode(text_.data() + pos_, text_.data() + text_.size());
  pos_ += c.n_bytes;
  return c.value;
}

uint32_t RegexParser::hex(int digits) {
  uint32_t code = 0;
  for (int i = 0; i < digits; ++i, ++pos_) {
    const char d = peek();
    const bool letter = (d >= 'a' && d <= 'f') || (d >= 'A' && d <= 'F');
    if (!letter && !is_digit_code(static_cast<uint8_t>(d))) return fail("expected hexadecimal digits");
    code = code << 4 | static_cast<uint32_t>(letter ? (d | 32) - 'a' + 10 : d - '0');
  }
  return code;
}

/// After \u: four digits (two of them for a pair of surrogates), or digits in braces.
uint32_t RegexParser::unicode_escape() {
  if (accept("{")) {
    const size_t end = text_.find('}', pos_);
    if (end == std::string_view::npos || end == pos_ || end - pos_ > 6) return fail("expected digits and }");
    const uint32_t code = hex(static_cast<int>(end - pos_));
    ++pos_;
    return code > kMaxCode ? fail("there is no such character") : code;
  }
  const uint32_t high = hex(4);
  if (high < 0xD800 || high > 0xDBFF || peek() != '\\' || peek(1) != 'u') return high;
  const size_t begin = pos_;
  pos_ += 2;
  const uint32_t low = hex(4);
  if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  pos_ = begin;
  return high;
}

/// After a backslash: \d \w \s \p and their opposites.
bool RegexParser::class_escape(CodeSet& set) {
  const char c = peek();
  switch (c | 32) {
    case 'd': set = kDigits; break;
    case 'w': set = kWord; break;
    case 's': set = kSpace; break;
    case 'p': {
      const size_t end = text_.find('}', pos_);
      if (peek(1) != '{' || end == std::string_view::npos) return false;
      std::string_view name = text_.substr(pos_ + 2, end - pos_ - 2);
      for (const std::string_view key : {"General_Category=", "gc="}) {
        if (name.starts_with(key)) name.remove_prefix(key.size());
      }
      set = category(name);
      if (set.empty()) fail(concat("the property ", name, " is not known"), ErrorCode::kUnsupported);
      if (!failed()) pos_ = end;
      break;
    }
    default: return false;
  }
  if (c == 'D' || c == 'W' || c == 'S' || c == 'P') set = set.inverted();
  if (!failed()) ++pos_;
  return true;
}

/// After a backslash: one character.
uint32_t RegexParser::character_escape(bool in_class) {
  const uint32_t c = next_code();
  switch (c) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'v': return '\v';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'x': return hex(2);
    case 'u': return unicode_escape();
    case 'c': {
      const char letter = peek();
      if (!is_letter(static_cast<uint8_t>(letter))) return fail("expected a letter after \\c");
      ++pos_;
      return static_cast<uint32_t>(letter & 31);
    }
    case 'b':
      if (in_class) return '\b';
      return refuse("the word boundary \\b");
    case 'B': return refuse("\\B");
    case 'k': return refuse("a reference back");
    case '0':
      if (!is_digit_code(static_cast<uint8_t>(peek()))) return 0;
      break;
    default: break;
  }
  if (is_digit_code(c)) return refuse("a reference back");
  // Other letters mean something in other languages (\A, \z, \Q), and themselves or nothing at all in this one.
  if (is_letter(c)) return fail("unknown escape \\" + std::string(1, static_cast<char>(c)), ErrorCode::kUnsupported);
  return c;
}

uint32_t RegexParser::parse_escape() {
  ++pos_;
  if (at_end()) return fail("a backslash stands at the end");
  CodeSet set;
  if (class_escape(set)) return add_set(std::move(set));
  const uint32_t code = character_escape(false);
  return add_set({code, code});
}

CodeSet RegexParser::parse_class_item(bool& is_set) {
  is_set = false;
  if (peek() != '\\') {
    const uint32_t code = next_code();
    return {code, code};
  }
  ++pos_;
  CodeSet set;
  if (at_end()) fail("a backslash stands at the end");
  if (failed()) return set;
  is_set = class_escape(set);
  if (is_set) return set;
  const uint32_t code = character_escape(true);
  return {code, code};
}

uint32_t RegexParser::parse_class() {
  ++pos_;
  const bool negated = accept("^");
  CodeSet set;
  while (!failed() && peek() != ']') {
    if (at_end()) return fail("a class of characters has no closing bracket");
    bool first_is_set = false, last_is_set = false;
    const CodeSet first = parse_class_item(first_is_set);
    const bool is_range = !failed() && peek() == '-' && pos_ + 1 < text_.size() && peek(1) != ']';
    if (failed() || first_is_set || !is_range) {
      set.add(first);
      continue;
    }
    ++pos_;
    const CodeSet last = parse_class_item(last_is_set);
    if (failed()) break;
    if (last_is_set) {  // a dash between a character and a set is a dash
      set.add(first);
      set.add('-');
      set.add(last);
      continue;
    }
    const uint32_t lo = first.ranges()[0].lo, hi = last.ranges()[0].lo;
    if (lo > hi) return fail("a range of characters runs backward");
    set.add(lo, hi);
  }
  if (failed()) return 0;
  ++pos_;
  return add_set(negated ? set.inverted() : std::move(set));
}

}  // namespace

Result<Regex> parse_regex(std::string_view pattern) {
  return RegexParser(pattern).run();
}

}  // namespace hearth::grammar
