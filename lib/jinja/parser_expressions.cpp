// Recursive descent over expressions, in Jinja's order of precedence.
#include <charconv>

#include "lib/base/concat.h"
#include "lib/jinja/parser_base.h"

namespace hearth::jinja {

Expr* ExpressionParser::parse_expression(bool with_condition) {
  const Nesting nesting(*this);
  if (failed()) return nullptr;
  return with_condition ? parse_condition() : parse_or();
}

Expr* ExpressionParser::parse_condition() {
  const Nesting nesting(*this);
  if (failed()) return nullptr;
  uint32_t offset = current().offset;
  Expr* value = parse_or();
  while (!failed() && skip_name("if")) {
    Expr* test = parse_or();
    Expr* other = skip_name("else") ? parse_condition() : nullptr;
    if (failed()) return nullptr;
    value = make(ExprKind::kCondition, offset, {test, value, other});
    offset = current().offset;
  }
  return value;
}

Expr* ExpressionParser::parse_or() {
  Expr* left = parse_and();
  while (!failed() && at_name("or")) {
    const uint32_t offset = next().offset;
    Expr* right = parse_and();
    left = make(ExprKind::kOr, offset, {left, right});
  }
  return left;
}

Expr* ExpressionParser::parse_and() {
  Expr* left = parse_not();
  while (!failed() && at_name("and")) {
    const uint32_t offset = next().offset;
    Expr* right = parse_not();
    left = make(ExprKind::kAnd, offset, {left, right});
  }
  return left;
}

Expr* ExpressionParser::parse_not() {
  if (!at_name("not")) return parse_compare();
  const Nesting nesting(*this);
  if (failed()) return nullptr;
  const uint32_t offset = next().offset;
  Expr* value = parse_not();
  return failed() ? nullptr : make(ExprKind::kNot, offset, {value});
}

Expr* ExpressionParser::parse_compare() {
  static constexpr std::pair<std::string_view, Op> kOperators[] = {{"==", Op::kEq}, {"!=", Op::kNe}, {"<", Op::kLt},
                                                                   {"<=", Op::kLe}, {">", Op::kGt},  {">=", Op::kGe}};
  const uint32_t offset = current().offset;
  std::vector<Expr*> items{parse_sum()};
  std::vector<Op> ops;
  while (!failed()) {
    bool found = false;
    for (const auto& [text, op] : kOperators) {
      if (!found && skip_op(text)) {
        ops.push_back(op);
        found = true;
      }
    }
    if (!found && skip_name("in")) {
      ops.push_back(Op::kIn);
      found = true;
    }
    if (!found && at_name("not") && look().type == TokenType::kName && look().text == "in") {
      next();
      next();
      ops.push_back(Op::kNotIn);
      found = true;
    }
    if (!found) break;
    items.push_back(parse_sum());
  }
  if (failed() || ops.empty()) return items[0];
  Expr* node = make(ExprKind::kCompare, offset, std::move(items));
  node->ops = std::move(ops);
  return node;
}

Expr* ExpressionParser::parse_sum() {
  Expr* left = parse_concat();
  while (!failed() && (at_op("+") || at_op("-"))) {
    const LexToken& token = next();
    Expr* right = parse_concat();
    left = make(ExprKind::kBinary, token.offset, {left, right});
    left->op = token.text == "+" ? Op::kAdd : Op::kSub;
  }
  return left;
}

Expr* ExpressionParser::parse_concat() {
  const uint32_t offset = current().offset;
  std::vector<Expr*> items{parse_product()};
  while (!failed() && skip_op("~")) items.push_back(parse_product());
  if (failed() || items.size() == 1) return items[0];
  return make(ExprKind::kConcat, offset, std::move(items));
}

Expr* ExpressionParser::parse_product() {
  Expr* left = parse_power();
  while (!failed() && (at_op("*") || at_op("/") || at_op("//") || at_op("%"))) {
    const LexToken& token = next();
    Expr* right = parse_power();
    left = make(ExprKind::kBinary, token.offset, {left, right});
    left->op = token.text == "*"   ? Op::kMul
               : token.text == "/" ? Op::kDiv
               : token.text == "%" ? Op::kMod
                                   : Op::kFloorDiv;
  }
  return left;
}

Expr* ExpressionParser::parse_power() {
  Expr* left = parse_unary();
  while (!failed() && at_op("**")) {
    const uint32_t offset = next().offset;
    Expr* right = parse_unary();
    left = make(ExprKind::kBinary, offset, {left, right});
    left->op = Op::kPow;
  }
  return left;
}

Expr* ExpressionParser::parse_unary(bool with_filter) {
  const Nesting nesting(*this);
  if (failed()) return nullptr;
  Expr* node = nullptr;
  if (at_op("-") || at_op("+")) {
    const LexToken& token = next();
    Expr* operand = parse_unary(false);
    if (failed()) return nullptr;
    node = make(token.text == "-" ? ExprKind::kNeg : ExprKind::kPos, token.offset, {operand});
  } else {
    node = parse_primary();
  }
  node = parse_postfix(node);
  return with_filter ? parse_filter_expr(node) : node;
}

/// A name, or a constant that is written as one.
Expr* ExpressionParser::parse_name() {
  const LexToken& token = next();
  const std::string& name = token.text;
  const bool truth = name == "true" || name == "True";
  Constant constant;
  if (truth || name == "false" || name == "False") {
    constant.kind = Constant::Kind::kBool;
    constant.integer = truth;
    return make_constant(std::move(constant), token.offset);
  }
  if (name == "none" || name == "None") return make_constant(std::move(constant), token.offset);
  Expr* node = make(ExprKind::kName, token.offset);
  node->name = name;
  return node;
}

Expr* ExpressionParser::parse_integer() {
  const LexToken& token = next();
  std::string_view digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  Constant constant;
  constant.kind = Constant::Kind::kInt;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), constant.integer, base);
  if (end.ec != std::errc()) {
    const auto big = BigInt::parse(digits, static_cast<uint32_t>(base));
    if (!big) return fail("integer too long", token.offset);
    constant.kind = Constant::Kind::kBig;
    constant.big = *big;
  }
  return make_constant(std::move(constant), token.offset);
}

Expr* ExpressionParser::parse_primary() {
  if (failed()) return nullptr;
  const LexToken& token = current();
  Constant constant;
  switch (token.type) {
    case TokenType::kName: return parse_name();
    case TokenType::kString:
      constant.kind = Constant::Kind::kString;
      while (at(TokenType::kString)) constant.text += next().text;
      return make_constant(std::move(constant), token.offset);
    case TokenType::kFloat:
      next();
      constant.kind = Constant::Kind::kFloat;
      constant.number = token.number;
      return make_constant(std::move(constant), token.offset);
    case TokenType::kInteger: return parse_integer();
    default: break;
  }
  if (at_op("(")) {
    next();
    Expr* node = parse_tuple(false, true, End::kNone, true);
    expect_op(")");
    return node;
  }
  if (at_op("[")) return parse_list();
  if (at_op("{")) return parse_dict();
  return fail(concat("unexpected '", describe(token), "'"), token.offset);
}

bool ExpressionParser::at_tuple_end(End end) const {
  if (at(TokenType::kVariableEnd) || at(TokenType::kBlockEnd) || at_op(")")) return true;
  return (end == End::kIn && at_name("in")) || (end == End::kRecursive && at_name("recursive"));
}

Expr* ExpressionParser::parse_tuple(bool simplified, bool with_condition, End end, bool in_parens) {
  const Nesting nesting(*this);
  const uint32_t offset = current().offset;
  std::vector<Expr*> items;
  bool is_tuple = false;
  while (!failed()) {
    if (!items.empty() && !expect_op(",")) return nullptr;
    if (at_tuple_end(end)) break;
    items.push_back(simplified ? parse_primary() : parse_expression(with_condition));
    if (!at_op(",")) break;
    is_tuple = true;
  }
  if (failed()) return nullptr;
  if (!is_tuple) {
    if (!items.empty()) return items[0];
    if (!in_parens) return fail(concat("Expected an expression, got '", describe(current()), "'"));
  }
  return make(ExprKind::kTuple, offset, std::move(items));
}

Expr* ExpressionParser::parse_list() {
  const uint32_t offset = next().offset;
  std::vector<Expr*> items;
  while (!failed() && !at_op("]")) {
    if (!items.empty() && !expect_op(",")) return nullptr;
    if (at_op("]")) break;
    items.push_back(parse_expression());
  }
  if (failed() || !expect_op("]")) return nullptr;
  return make(ExprKind::kList, offset, std::move(items));
}

Expr* ExpressionParser::parse_dict() {
  const uint32_t offset = next().offset;
  std::vector<Expr*> items;
  while (!failed() && !at_op("}")) {
    if (!items.empty() && !expect_op(",")) return nullptr;
    if (at_op("}")) break;
    items.push_back(parse_expression());
    if (!expect_op(":")) return nullptr;
    items.push_back(parse_expression());
  }
  if (failed() || !expect_op("}")) return nullptr;
  return make(ExprKind::kDict, offset, std::move(items));
}

bool ExpressionParser::make_target(Expr* node) {
  const Nesting nesting(*this);
  if (failed()) return false;
  if (node->kind == ExprKind::kName) {
    node->is_store = true;
    return true;
  }
  if (node->kind != ExprKind::kTuple) {
    fail("can't assign to this expression", node->offset);
    return false;
  }
  for (Expr* item : node->items) {
    if (!make_target(item)) return false;
  }
  return true;
}

Expr* ExpressionParser::parse_target(bool name_only, End end, bool with_namespace) {
  if (with_namespace && look().type == TokenType::kOperator && look().text == ".") {
    const LexToken& name = current();
    if (!expect(TokenType::kName, "name")) return nullptr;
    next();
    const LexToken& attribute = current();
    if (!expect(TokenType::kName, "name")) return nullptr;
    Expr* node = make(ExprKind::kNamespaceSet, name.offset);
    node->name = name.text;
    node->attribute = attribute.text;
    return node;
  }
  Expr* node = nullptr;
  if (name_only) {
    const LexToken& name = current();
    if (!expect(TokenType::kName, "name")) return nullptr;
    static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
    for (const std::string_view word : kReserved) {
      if (name.text == word) return fail("can't assign to 'name'", name.offset);
    }
    node = make(ExprKind::kName, name.offset);
    node->name = name.text;
  } else {
    node = parse_tuple(true, true, end);
  }
  return !failed() && make_target(node) ? node : nullptr;
}

}  // namespace hearth::jinja
