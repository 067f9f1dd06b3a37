// The parts of JSON that schemas are made of, as expressions.
#pragma once

#include <optional>

#include "lib/grammar/expr.h"

namespace hearth::grammar {

/// Makes each part once; the pool must outlive it.
class JsonLanguage {
 public:
  JsonLanguage(ExprPool& pool, bool white_space) : pool_(pool), white_space_(white_space) {}

  /// Any value, any object, any array: rules of the pool.
  ExprId any_value();
  ExprId any_object();
  ExprId any_array();
  ExprId any_string();
  ExprId any_number();
  ExprId any_integer();
  /// Between tokens: nothing, or white space.
  ExprId space();
  /// {items of a list, with commas}: "[" and "]" or "{" and "}" around them.
  ExprId comma();
  ExprId colon();
  ExprId open(char bracket);
  ExprId close(char bracket);

 private:
  void define_any();

  ExprPool& pool_;
  const bool white_space_;
  std::optional<ExprId> space_;
  std::optional<uint32_t> value_, object_, array_;
};

}  // namespace hearth::grammar
