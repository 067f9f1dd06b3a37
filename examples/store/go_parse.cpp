// From the text of a Go template to its tree (https://pkg.go.dev/text/template).
#include <algorithm>

#include "go_lexer.h"
#include "go_tree.h"
#include "name.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;
using Node = GoTemplate::Node;

namespace {

constexpr std::string_view kBlanks = kGoBlanks;
constexpr int kMostDepth = 64;

/// Texts and actions in turn, and the tree that they make.
class Parser {
 public:
  explicit Parser(std::string_view source) : source_(source) {}

  Result<Node> whole() {
    root_.kind = Node::Kind::kList;
    std::string ending;
    if (auto status = list(root_.body, ending, 0); !status) return status.error();
    if (!ending.empty()) return wrong("unexpected {{" + ending + "}}");
    return std::move(root_);
  }

 private:
  Error wrong(const std::string& what) const {
    const auto line = std::count(source_.begin(), source_.begin() + static_cast<std::ptrdiff_t>(at_), '\n') + 1;
    return Error{ErrorCode::kFormat, "the template is wrong in line " + std::to_string(line) + ": " + what};
  }

  /// The next action into tokens_, the text before it into `text`. False at the end.
  Result<bool> next(std::string& text) {
    const size_t open = source_.find("{{", at_);
    text = source_.substr(at_, open == std::string_view::npos ? open : open - at_);
    if (trims_) text.erase(0, std::min(text.find_first_not_of(kBlanks), text.size()));
    trims_ = false;
    if (open == std::string_view::npos) {
      at_ = source_.size();
      return false;
    }
    at_ = open + 2;
    const auto blank_at = [&](size_t i) { return i < source_.size() && kBlanks.find(source_[i]) != kBlanks.npos; };
    if (at_ < source_.size() && source_[at_] == '-' && blank_at(at_ + 1)) {
      text.erase(text.find_last_not_of(kBlanks) + 1);
      ++at_;
    }
    const size_t first = std::min(source_.find_first_not_of(kBlanks, at_), source_.size());
    const bool is_comment = source_.substr(first, 2) == "/*";
    size_t end = is_comment ? source_.find("*/", first) : end_of_action();
    if (end == std::string_view::npos) return wrong("an action is not closed");
    std::string_view inner = is_comment ? std::string_view() : source_.substr(at_, end - at_);
    if (is_comment) {
      const size_t close = source_.find("}}", end);
      if (close == std::string_view::npos) return wrong("a comment is not closed");
      trims_ = close >= 2 && source_[close - 1] == '-' && blank_at(close - 2);
      at_ = close + 2;
    } else {
      if (inner.size() >= 2 && inner.back() == '-' && blank_at(end - 2)) {
        trims_ = true;
        inner.remove_suffix(1);
      }
      at_ = end + 2;
    }
    auto tokens = go_tokens(inner);
    if (!tokens) return wrong(tokens.error().message);
    tokens_ = std::move(*tokens);
    token_ = 0;
    is_comment_ = is_comment;
    return true;
  }

  /// Where "}}" stands outside of strings.
  size_t end_of_action() const {
    char quote = '\0';
    for (size_t i = at_; i < source_.size(); ++i) {
      const char c = source_[i];
      if (quote != '\0') {
        if (c == '\\' && quote != '`') {
          ++i;
        } else if (c == quote) {
          quote = '\0';
        }
      } else if (c == '"' || c == '`' || c == '\'') {
        quote = c;
      } else if (c == '}' && source_.substr(i, 2) == "}}") {
        return i;
      }
    }
    return std::string_view::npos;
  }

  const GoToken& token(size_t ahead = 0) const {
    static const GoToken kEnd;
    return token_ + ahead < tokens_.size() ? tokens_[token_ + ahead] : kEnd;
  }
  bool is_symbol(const char* text, size_t ahead = 0) const {
    return token(ahead).kind == GoToken::Kind::kSymbol && token(ahead).text == text;
  }
  bool take_word(const char* text) {
    if (token().kind != GoToken::Kind::kWord || token().text != text) return false;
    ++token_;
    return true;
  }

  /// Nodes up to {{end}} or {{else}}, whose word is left in `ending` (empty: the end of the source).
  Status list(std::vector<Node>& out, std::string& ending, int depth) {
    if (depth > kMostDepth) return Error{ErrorCode::kLimit, "the template is nested too deeply"};
    for (;;) {
      std::string text;
      auto more = next(text);
      if (!more) return more.error();
      if (!text.empty()) {
        Node& node = out.emplace_back();
        node.kind = Node::Kind::kText;
        node.text = std::move(text);
      }
      ending.clear();
      if (!*more) return {};
      if (is_comment_ || tokens_.empty()) {
        if (!is_comment_) return wrong("an action is empty");
        continue;
      }
      for (const char* word : {"end", "else"})
        if (take_word(word)) {
          ending = word;
          return {};
        }
      if (auto status = action(out, depth); !status) return status;
    }
  }

  Status action(std::vector<Node>& out, int depth) {
    static constexpr std::pair<const char*, Node::Kind> kBlocks[] = {
        {"if", Node::Kind::kIf}, {"with", Node::Kind::kWith}, {"range", Node::Kind::kRange}};
    for (const auto& [word, kind] : kBlocks)
      if (take_word(word)) return block(out, kind, depth);
    for (const auto& [word, kind] : {std::pair{"break", Node::Kind::kBreak}, {"continue", Node::Kind::kContinue}})
      if (take_word(word)) {
        out.emplace_back().kind = kind;
        return {};
      }
    if (take_word("define")) return define(nullptr, depth);
    if (take_word("block")) return define(&out, depth);
    Node node;
    node.kind = Node::Kind::kAction;
    if (take_word("template")) {
      node.kind = Node::Kind::kCall;
      if (token().kind != GoToken::Kind::kString) return wrong("which template?");
      node.text = token().text;
      ++token_;
    }
    if (node.kind == Node::Kind::kAction || token_ < tokens_.size()) {
      if (auto status = pipe(node.pipe, 0); !status) return status;
    }
    out.push_back(std::move(node));
    return whole_action();
  }

  Status whole_action() const {
    return token_ == tokens_.size() ? Status() : Status(wrong("unexpected " + shown(token().text)));
  }

  Status block(std::vector<Node>& out, Node::Kind kind, int depth) {
    Node node;
    node.kind = kind;
    if (auto status = pipe(node.pipe, 0); !status) return status;
    if (auto status = whole_action(); !status) return status;
    std::string ending;
    if (auto status = list(node.body, ending, depth + 1); !status) return status;
    if (ending == "else") {
      node.has_otherwise = true;
      const bool is_if = take_word("if"), is_with = !is_if && take_word("with");
      if (is_if || is_with) {  // closed by the same {{end}}
        auto status = block(node.otherwise, is_if ? Node::Kind::kIf : Node::Kind::kWith, depth + 1);
        if (!status) return status;
        out.push_back(std::move(node));
        return {};
      }
      if (auto status = whole_action(); !status) return status;
      if (auto status = list(node.otherwise, ending, depth + 1); !status) return status;
    }
    if (ending != "end") return wrong("{{end}} is missing");
    out.push_back(std::move(node));
    return {};
  }

  /// {{define "name"}}...{{end}}; {{block "name" pipe}}...{{end}}, which is called at once.
  Status define(std::vector<Node>* call_in, int depth) {
    if (token().kind != GoToken::Kind::kString) return wrong("a defined template has no name");
    Node call;
    call.kind = Node::Kind::kCall;
    call.text = token().text;
    ++token_;
    if (call_in != nullptr) {
      if (auto status = pipe(call.pipe, 0); !status) return status;
    }
    std::string ending;
    std::vector<Node> body;
    const std::string name = call.text;
    if (auto status = list(body, ending, depth + 1); !status) return status;
    if (ending != "end") return wrong("{{end}} is missing");
    root_.defined[name] = std::move(body);
    if (call_in != nullptr) call_in->push_back(std::move(call));
    return {};
  }

  Status pipe(GoPipe& out, int depth) {
    if (depth > kMostDepth) return Error{ErrorCode::kLimit, "the template is nested too deeply"};
    const bool one = token().kind == GoToken::Kind::kVariable && (is_symbol(":=", 1) || is_symbol("=", 1));
    const bool two = token().kind == GoToken::Kind::kVariable && is_symbol(",", 1) &&
                     token(2).kind == GoToken::Kind::kVariable && (is_symbol(":=", 3) || is_symbol("=", 3));
    if (one || two) {
      out.variables.push_back(token().text);
      if (two) out.variables.push_back(token(2).text);
      token_ += two ? 3 : 1;
      out.declares = token().text == ":=";
      ++token_;
    }
    for (;;) {
      std::vector<GoOperand> command;
      while (token_ < tokens_.size() && !is_symbol("|") && !is_symbol(")")) {
        GoOperand one_operand;
        if (auto status = operand(one_operand, depth); !status) return status;
        command.push_back(std::move(one_operand));
      }
      if (command.empty()) return wrong("a value is missing");
      out.commands.push_back(std::move(command));
      if (!is_symbol("|")) return {};
      ++token_;
    }
  }

  Status operand(GoOperand& out, int depth) {
    const GoToken& first = token();
    ++token_;
    switch (first.kind) {
      case GoToken::Kind::kDot: out.kind = GoOperand::Kind::kDot; break;
      case GoToken::Kind::kField:
        out.kind = GoOperand::Kind::kField;
        out.fields.push_back(first.text);
        break;
      case GoToken::Kind::kVariable: out = {GoOperand::Kind::kVariable, first.text, {}, {}}; break;
      case GoToken::Kind::kString: out = {GoOperand::Kind::kString, first.text, {}, {}}; return {};
      case GoToken::Kind::kNumber: out = {GoOperand::Kind::kNumber, first.text, {}, {}}; return {};
      case GoToken::Kind::kWord:
        out = {GoOperand::Kind::kFunction, first.text, {}, {}};
        if (first.text == "true" || first.text == "false") out.kind = GoOperand::Kind::kBool;
        if (first.text == "nil") out.kind = GoOperand::Kind::kNil;
        return {};
      case GoToken::Kind::kSymbol:
        if (first.text == "(") {
          out.kind = GoOperand::Kind::kPipe;
          out.pipe = std::make_shared<GoPipe>();
          if (auto status = pipe(*out.pipe, depth + 1); !status) return status;
          if (!is_symbol(")")) return wrong("a bracket is not closed");
          ++token_;
          break;
        }
        [[fallthrough]];
      case GoToken::Kind::kEnd: return wrong("unexpected " + shown(first.text));
    }
    while (token().kind == GoToken::Kind::kField && !token().after_blank) {
      out.fields.push_back(token().text);
      ++token_;
    }
    return {};
  }

  std::string_view source_;
  size_t at_ = 0;
  bool trims_ = false, is_comment_ = false;
  std::vector<GoToken> tokens_;
  size_t token_ = 0;
  Node root_;
};

template <typename See>
bool any_node(const std::vector<Node>& nodes, const See& see) {
  return std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) {
    return see(node) || any_node(node.body, see) || any_node(node.otherwise, see);
  });
}

bool has_field(const GoPipe& pipe, std::string_view name) {
  bool found = false;
  each_field(pipe, [&](const std::string& field) { found = found || field == name; });
  return found;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The first and the last text of the list that holds .Thinking, inside of a loop over .Messages.
void find_thinking(const std::vector<Node>& list, bool in_messages, std::pair<std::string, std::string>& tags) {
  for (const Node& node : list) {
    if (in_messages && has_field(node.pipe, "Thinking")) {
      if (list.front().kind == Node::Kind::kText) tags.first = trimmed(list.front().text);
      if (list.back().kind == Node::Kind::kText) tags.second = trimmed(list.back().text);
    }
    const bool in_body = node.kind == Node::Kind::kRange ? has_field(node.pipe, "Messages") : in_messages;
    find_thinking(node.body, in_body, tags);
    find_thinking(node.otherwise, in_body, tags);
  }
}

}  // namespace

Result<GoTemplate> GoTemplate::parse(std::string_view source) {
  auto root = Parser(source).whole();
  if (!root) return root.error();
  GoTemplate out;
  out.root_ = std::make_shared<Node>(std::move(*root));
  return out;
}

bool GoTemplate::mentions(std::string_view name) const {
  const auto see = [&](const Node& node) {
    bool found = false;
    each_field(node.pipe, [&](const std::string& field) { found = found || lower_case(field) == name; });
    return found;
  };
  return any_node(root_->body, see) || std::any_of(root_->defined.begin(), root_->defined.end(),
                                                   [&](const auto& one) { return any_node(one.second, see); });
}

std::pair<std::string, std::string> GoTemplate::thinking_tags() const {
  std::pair<std::string, std::string> tags;
  find_thinking(root_->body, false, tags);
  return tags;
}

}  // namespace hearth_store
