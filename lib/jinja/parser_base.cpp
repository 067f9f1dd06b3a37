// Token cursor and node creation of the parser.
#include "lib/jinja/parser_base.h"

#include <algorithm>

#include "lib/base/concat.h"

namespace hearth::jinja {

const LexToken& ParserBase::next() {
  const LexToken& token = tokens_[pos_];
  if (pos_ + 1 < tokens_.size()) ++pos_;
  return token;
}

bool ParserBase::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  next();
  return true;
}

bool ParserBase::skip_op(std::string_view op) {
  if (!at_op(op)) return false;
  next();
  return true;
}

std::string ParserBase::describe(const LexToken& token) {
  switch (token.type) {
    case TokenType::kData: return "template data / text";
    case TokenType::kBlockBegin: return "begin of statement block";
    case TokenType::kBlockEnd: return "end of statement block";
    case TokenType::kVariableBegin: return "begin of print statement";
    case TokenType::kVariableEnd: return "end of print statement";
    case TokenType::kString: return "string";
    case TokenType::kInteger: return "integer";
    case TokenType::kFloat: return "float";
    case TokenType::kEnd: return "end of template";
    default: return token.text;
  }
}

std::nullptr_t ParserBase::fail(std::string message, uint32_t offset) {
  if (!failed_) error_ = {std::move(message), offset};
  failed_ = true;
  pos_ = tokens_.size() - 1;  // every loop of the parser ends at the end of the template
  return nullptr;
}

bool ParserBase::expect(TokenType type, const char* what) {
  if (at(type)) {
    next();
    return true;
  }
  fail(concat("expected token '", what, "', got '", describe(current()), "'"));
  return false;
}

bool ParserBase::expect_op(std::string_view op) {
  if (skip_op(op)) return true;
  fail(concat("expected token '", op, "', got '", describe(current()), "'"));
  return false;
}

bool ParserBase::expect_name(std::string_view name) {
  if (skip_name(name)) return true;
  fail(concat("expected token '", name, "', got '", describe(current()), "'"));
  return false;
}

void ParserBase::measure(Expr* expr) {
  uint32_t below = 0;
  const auto look_at = [&](const Expr* child) {
    if (child) below = std::max(below, child->depth);
  };
  for (const Expr* item : expr->items) look_at(item);
  for (const Expr* item : expr->arguments.positional) look_at(item);
  for (const auto& named : expr->arguments.named) look_at(named.second);
  look_at(expr->arguments.star);
  look_at(expr->arguments.double_star);
  expr->depth = below + 1;
  if (expr->depth > kMaxExpressionDepth) fail("expression nested too deeply", expr->offset);
}

Expr* ParserBase::make(ExprKind kind, uint32_t offset, std::vector<Expr*> items) {
  Expr& expr = tmpl_.exprs.emplace_back();
  expr.kind = kind;
  expr.offset = offset;
  expr.items = std::move(items);
  measure(&expr);
  return &expr;
}

Expr* ParserBase::make_constant(Constant constant, uint32_t offset) {
  Expr* expr = make(ExprKind::kConst, offset);
  expr->constant = static_cast<uint32_t>(tmpl_.constants.size());
  tmpl_.constants.push_back(std::move(constant));
  return expr;
}

Stmt* ParserBase::make(StmtKind kind, uint32_t offset) {
  Stmt& stmt = tmpl_.stmts.emplace_back();
  stmt.kind = kind;
  stmt.offset = offset;
  return &stmt;
}

}  // namespace hearth::jinja
