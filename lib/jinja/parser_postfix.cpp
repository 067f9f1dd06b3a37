// What follows a value: attributes, subscripts, calls, filters and tests.
#include <set>

#include "lib/jinja/parser_base.h"

namespace hearth::jinja {

Expr* ExpressionParser::parse_postfix(Expr* node) {
  while (!failed()) {
    if (at_op(".") || at_op("[")) {
      node = parse_subscript(node);
    } else if (at_op("(")) {
      node = parse_call(node);
    } else {
      break;
    }
  }
  return node;
}

Expr* ExpressionParser::parse_filter_expr(Expr* node) {
  while (!failed()) {
    if (at_op("|")) {
      node = parse_filter(node);
    } else if (at_name("is")) {
      node = parse_test(node);
    } else if (at_op("(")) {
      node = parse_call(node);
    } else {
      break;
    }
  }
  return node;
}

Expr* ExpressionParser::parse_subscript(Expr* node) {
  const LexToken& token = next();
  if (token.text == ".") {
    if (at(TokenType::kName)) {
      const LexToken& name = next();
      Expr* out = make(ExprKind::kAttribute, name.offset, {node});
      out->name = name.text;
      return out;
    }
    if (!at(TokenType::kInteger)) return fail("expected name or number");
    Expr* index = parse_primary();
    return failed() ? nullptr : make(ExprKind::kItem, token.offset, {node, index});
  }
  std::vector<Expr*> items;
  while (!failed() && !at_op("]")) {
    if (!items.empty() && !expect_op(",")) return nullptr;
    items.push_back(parse_subscribed());
  }
  if (failed() || !expect_op("]")) return nullptr;
  if (items.size() == 1) return make(ExprKind::kItem, token.offset, {node, items[0]});
  for (const Expr* item : items) {
    if (item->kind == ExprKind::kSlice) return fail("invalid syntax for a subscript", item->offset);
  }
  Expr* key = make(ExprKind::kTuple, token.offset, std::move(items));
  return make(ExprKind::kItem, token.offset, {node, key});
}

Expr* ExpressionParser::parse_subscribed() {
  const uint32_t offset = current().offset;
  Expr* parts[3] = {nullptr, nullptr, nullptr};
  if (!at_op(":")) {
    parts[0] = parse_expression();
    if (failed() || !at_op(":")) return parts[0];
  }
  next();
  const auto at_end = [&] { return at_op("]") || at_op(","); };
  if (!at_op(":") && !at_end()) parts[1] = parse_expression();
  if (!failed() && skip_op(":") && !at_end()) parts[2] = parse_expression();
  return failed() ? nullptr : make(ExprKind::kSlice, offset, {parts[0], parts[1], parts[2]});
}

bool ExpressionParser::parse_arguments(Arguments& out) {
  const uint32_t offset = next().offset;
  const auto ensure = [&](bool good) {
    if (!good) fail("invalid syntax for function call expression", offset);
    return good;
  };
  bool need_comma = false;
  std::set<std::string> names;
  while (!failed() && !at_op(")")) {
    if (need_comma) {
      if (!expect_op(",")) return false;
      if (at_op(")")) break;
    }
    if (at_op("*")) {
      if (!ensure(!out.star && !out.double_star)) return false;
      next();
      out.star = parse_expression();
    } else if (at_op("**")) {
      if (!ensure(!out.double_star)) return false;
      next();
      out.double_star = parse_expression();
    } else if (at(TokenType::kName) && look().type == TokenType::kOperator && look().text == "=") {
      if (!ensure(!out.double_star)) return false;
      const std::string& key = next().text;
      next();
      if (!names.insert(key).second) fail("keyword argument repeated: " + key, offset);
      if (failed()) return false;
      out.named.emplace_back(key, parse_expression());
    } else {
      if (!ensure(!out.star && !out.double_star && out.named.empty())) return false;
      out.positional.push_back(parse_expression());
    }
    need_comma = true;
  }
  return !failed() && expect_op(")");
}

Expr* ExpressionParser::parse_call(Expr* node) {
  Expr* out = make(ExprKind::kCall, current().offset, {node});
  if (!parse_arguments(out->arguments)) return nullptr;
  measure(out);
  return out;
}

Expr* ExpressionParser::parse_filter(Expr* input, bool inline_start) {
  Expr* node = input;
  while (!failed() && (at_op("|") || inline_start)) {
    if (!inline_start) next();
    inline_start = false;
    const LexToken& token = current();
    if (!expect(TokenType::kName, "name")) return nullptr;
    Expr* filter = make(ExprKind::kFilter, token.offset, {node});
    filter->name = token.text;
    while (skip_op(".")) {
      filter->name += "." + current().text;
      if (!expect(TokenType::kName, "name")) return nullptr;
    }
    if (at_op("(") && !parse_arguments(filter->arguments)) return nullptr;
    measure(filter);
    node = filter;
  }
  return failed() ? nullptr : node;
}

Expr* ExpressionParser::parse_test(Expr* node) {
  const uint32_t offset = next().offset;
  const bool negated = skip_name("not");
  Expr* test = make(ExprKind::kTest, offset, {node});
  test->name = current().text;
  if (!expect(TokenType::kName, "name")) return nullptr;
  while (skip_op(".")) {
    test->name += "." + current().text;
    if (!expect(TokenType::kName, "name")) return nullptr;
  }
  const TokenType type = current().type;
  const bool begins_value = type == TokenType::kName || type == TokenType::kString || type == TokenType::kInteger ||
                            type == TokenType::kFloat || at_op("[") || at_op("{");
  if (at_op("(")) {
    if (!parse_arguments(test->arguments)) return nullptr;
  } else if (begins_value && !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) return fail("You cannot chain multiple tests with is");
    Expr* argument = parse_postfix(parse_primary());
    if (failed()) return nullptr;
    test->arguments.positional.push_back(argument);
  }
  measure(test);
  return negated && !failed() ? make(ExprKind::kNot, offset, {test}) : test;
}

}  // namespace hearth::jinja
