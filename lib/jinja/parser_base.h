// What both halves of the parser share: the token cursor, errors, and node creation.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/stack.h"
#include "lib/jinja/parser.h"

namespace hearth::jinja {

class ParserBase {
 public:
  ParserBase(Template& tmpl, std::vector<LexToken> tokens, SyntaxError& error)
      : tmpl_(tmpl), tokens_(std::move(tokens)), error_(error) {}

 protected:
  const LexToken& current() const { return tokens_[pos_]; }
  const LexToken& look() const { return tokens_[pos_ + 1 < tokens_.size() ? pos_ + 1 : pos_]; }
  const LexToken& next();
  bool at(TokenType type) const { return current().type == type; }
  bool at_name(std::string_view name) const { return at(TokenType::kName) && current().text == name; }
  bool at_op(std::string_view op) const { return at(TokenType::kOperator) && current().text == op; }
  bool skip_name(std::string_view name);
  bool skip_op(std::string_view op);
  bool expect(TokenType type, const char* what);
  bool expect_op(std::string_view op);
  bool expect_name(std::string_view name);

  bool failed() const { return failed_; }
  /// Remembers the first error. Returns nullptr so that `return fail(...)` works for nodes.
  std::nullptr_t fail(std::string message, uint32_t offset);
  std::nullptr_t fail(std::string message) { return fail(std::move(message), current().offset); }
  static std::string describe(const LexToken& token);

  Expr* make(ExprKind kind, uint32_t offset, std::vector<Expr*> items = {});
  Expr* make_constant(Constant constant, uint32_t offset);
  Stmt* make(StmtKind kind, uint32_t offset);
  /// Sets the height of a node whose arguments came after make().
  void measure(Expr* expr);

  /// Counts recursion; an error beyond kMaxNesting, or near the end of the stack.
  class Nesting {
   public:
    explicit Nesting(ParserBase& parser) : parser_(parser) {
      if (++parser_.nesting_ > kMaxNesting || !is_above(parser_.floor_)) parser_.fail("nested too deeply");
    }
    ~Nesting() { --parser_.nesting_; }

   private:
    ParserBase& parser_;
  };

  Template& tmpl_;

 private:
  std::vector<LexToken> tokens_;
  SyntaxError& error_;
  size_t pos_ = 0;
  uint32_t nesting_ = 0;
  const uintptr_t floor_ = stack_floor();
  bool failed_ = false;
};

/// Expressions.
class ExpressionParser : public ParserBase {
 public:
  using ParserBase::ParserBase;

 protected:
  enum class End : uint8_t { kNone, kIn, kRecursive };  ///< a name that ends a tuple
  Expr* parse_expression(bool with_condition = true);
  Expr* parse_tuple(bool simplified = false, bool with_condition = true, End end = End::kNone, bool in_parens = false);
  Expr* parse_primary();
  /// `input` is nullptr for filter blocks; `inline_start` when no | precedes.
  Expr* parse_filter(Expr* input, bool inline_start = false);
  Expr* parse_target(bool name_only, End end = End::kNone, bool with_namespace = false);

 private:
  Expr* parse_condition();
  Expr* parse_or();
  Expr* parse_and();
  Expr* parse_not();
  Expr* parse_compare();
  Expr* parse_sum();
  Expr* parse_concat();
  Expr* parse_product();
  Expr* parse_power();
  Expr* parse_unary(bool with_filter = true);
  Expr* parse_name();
  Expr* parse_integer();
  Expr* parse_postfix(Expr* node);
  Expr* parse_filter_expr(Expr* node);
  Expr* parse_subscript(Expr* node);
  Expr* parse_subscribed();
  Expr* parse_call(Expr* node);
  Expr* parse_test(Expr* node);
  Expr* parse_list();
  Expr* parse_dict();
  bool parse_arguments(Arguments& out);
  bool at_tuple_end(End end) const;
  bool make_target(Expr* node);
};

}  // namespace hearth::jinja
