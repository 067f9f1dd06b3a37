// Questions about names in a syntax tree, before they have places.
#pragma once

#include "lib/jinja/ast.h"

namespace hearth::jinja {

/// Does the body read a name that it did not assign before? In the order of the source.
bool uses_name(const Body& body, const char* name);
/// Does the statement assign to `loop`?
bool assigns_loop(const Stmt* stmt);
/// Does the body hold a block with the modifier `scoped`?
bool has_scoped_block(const Body& body);

/// Calls visitor(const Expr*) for every part of an expression, but not for their parts.
template <typename Visitor>
void each_child(const Expr* expr, Visitor visitor) {
  for (const Expr* item : expr->items) {
    if (item) visitor(item);
  }
  for (const Expr* item : expr->arguments.positional) visitor(item);
  for (const auto& named : expr->arguments.named) visitor(named.second);
  if (expr->arguments.star) visitor(expr->arguments.star);
  if (expr->arguments.double_star) visitor(expr->arguments.double_star);
}

}  // namespace hearth::jinja
