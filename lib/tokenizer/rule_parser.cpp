// Recursive descent over split rules.
#include "lib/tokenizer/rule_parser.h"

#include <string>

#include "lib/base/concat.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

using unicode::CharCategory;

constexpr std::pair<uint32_t, uint32_t> kHan[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF}, {0x20000, 0x2A6DF},
                                                  {0x2A700, 0x2EBEF}, {0xF900, 0xFAFF}, {0x2F800, 0x2FA1F}};

class RuleParser {
 public:
  explicit RuleParser(std::string_view pattern) : text_(pattern) {}

  Result<RuleTree> parse() {
    tree_.root = choice();
    if (!failed_ && pos_ != text_.size()) fail("unexpected ')'");
    if (failed_) return Error{ErrorCode::kFormat, concat("split rule: ", message_, " at byte ", pos_)};
    return std::move(tree_);
  }

 private:
  bool at_end() const { return failed_ || pos_ >= text_.size(); }
  bool looking_at(std::string_view what) const { return !at_end() && text_.substr(pos_).starts_with(what); }
  bool take(std::string_view what) {
    if (!looking_at(what)) return false;
    pos_ += what.size();
    return true;
  }
  void fail(const char* message) {
    if (!failed_) message_ = message;
    failed_ = true;
  }
  uint32_t add(RuleNode node) {
    tree_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(tree_.nodes.size() - 1);
  }
  uint32_t add(CharSet set) {
    tree_.sets.push_back(std::move(set));
    return add(RuleNode{.kind = RuleNode::Kind::kSet, .set = static_cast<uint32_t>(tree_.sets.size() - 1)});
  }

  uint32_t choice() {
    RuleNode node{.kind = RuleNode::Kind::kChoice};
    do {
      node.parts.push_back(sequence());
    } while (take("|"));
    return node.parts.size() == 1 ? node.parts[0] : add(std::move(node));
  }

  uint32_t sequence() {
    RuleNode node{.kind = RuleNode::Kind::kSequence};
    while (!at_end() && !looking_at("|") && !looking_at(")")) node.parts.push_back(repeat(atom()));
    return add(std::move(node));
  }

  uint32_t atom() {
    if (take("(?!\\S)")) return add(RuleNode{.kind = RuleNode::Kind::kNoTextAhead});
    if (take("(?:") || take("(")) {
      const uint32_t inner = choice();
      if (!take(")")) fail("missing ')'");
      return inner;
    }
    if (take("[")) return add(bracket());
    CharSet set;
    member(set);
    return add(std::move(set));
  }

  uint32_t repeat(uint32_t inner) {
    RuleNode node{.kind = RuleNode::Kind::kRepeat, .parts = {inner}};
    if (take("?")) {
      node.min = 0;
    } else if (take("*")) {
      node.min = 0, node.max = RuleNode::kUnbounded;
    } else if (take("+")) {
      node.max = RuleNode::kUnbounded;
    } else if (take("{")) {
      node.min = node.max = number();
      if (take(",")) node.max = number();
      if (!take("}")) fail("missing '}'");
    } else {
      return inner;
    }
    return add(std::move(node));
  }

  uint32_t number() {
    uint32_t value = 0;
    while (!at_end() && text_[pos_] >= '0' && text_[pos_] <= '9' && value < 10000) {
      value = value * 10 + static_cast<uint32_t>(text_[pos_++] - '0');
    }
    return value;
  }

  /// After '[': up to and including ']'.
  CharSet bracket() {
    CharSet set;
    set.negated = take("^");
    while (!at_end() && !take("]")) {
      if (take("&&[")) {
        set.also.push_back(bracket());
      } else {
        member(set);
      }
    }
    return set;
  }

  /// One class, or one literal or range of literals.
  void member(CharSet& set) {
    if (take("\\s")) return set.add(CharCategory::kSpace);
    if (take("\\S")) {
      for (int c = 0; c < unicode::kCategories; ++c) {
        if (static_cast<CharCategory>(c) != CharCategory::kSpace) set.add(static_cast<CharCategory>(c));
      }
      return;
    }
    if (take("\\d")) return set.add('0', '9');
    if (take("\\p{")) return property(set);
    const uint32_t first = literal();
    if (looking_at("-") && !looking_at("-]")) {
      ++pos_;
      return set.add(first, literal());
    }
    set.add(first, first);
  }

  void property(CharSet& set) {
    if (take("Han}")) {
      for (const auto& [first, last] : kHan) set.add(first, last);
      return;
    }
    const char name = at_end() ? '\0' : text_[pos_];
    switch (name) {
      case 'L': set.add(CharCategory::kLetter); break;
      case 'N': set.add(CharCategory::kNumber); break;
      case 'P': set.add(CharCategory::kPunctuation); break;
      case 'S': set.add(CharCategory::kSymbol); break;
      case 'M': set.add(CharCategory::kMark); break;
      default: return fail("unknown property");
    }
    while (!at_end() && !take("}")) ++pos_;
  }

  uint32_t literal() {
    if (at_end()) return fail("pattern ends early"), 0;
    if (take("\\r")) return '\r';
    if (take("\\n")) return '\n';
    if (take("\\t")) return '\t';
    take("\\");
    if (at_end()) return fail("pattern ends early"), 0;
    const utf8::CodePoint c = utf8::decode(text_.data() + pos_, text_.data() + text_.size());
    pos_ += c.n_bytes;
    return c.value;
  }

  std::string_view text_;
  size_t pos_ = 0;
  RuleTree tree_;
  std::string message_;
  bool failed_ = false;
};

}  // namespace

Result<RuleTree> parse_rule(std::string_view pattern) {
  return RuleParser(pattern).parse();
}

}  // namespace hearth
