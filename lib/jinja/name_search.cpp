// Walks over statements and expressions that stop at the first answer.
#include "lib/jinja/name_search.h"

#include <algorithm>

namespace hearth::jinja {
namespace {

struct Search {
  const char* name;
  bool found = false, assigned = false;
};

void search(Search& s, const Expr* expr) {
  if (!expr || s.found || s.assigned) return;
  if (expr->kind == ExprKind::kName && expr->name == s.name) (expr->is_store ? s.assigned : s.found) = true;
  each_child(expr, [&](const Expr* child) { search(s, child); });
}

void search(Search& s, const Stmt* stmt);

void search(Search& s, const Body& body) {
  for (const Stmt* stmt : body) search(s, stmt);
}

void search(Search& s, const Stmt* stmt) {
  if (s.found || s.assigned || stmt->kind == StmtKind::kBlock) return;
  const bool value_first = stmt->kind == StmtKind::kIf || stmt->kind == StmtKind::kCallBlock ||
                           stmt->kind == StmtKind::kAutoescape || stmt->kind == StmtKind::kLoader;
  if (value_first) search(s, stmt->value);
  search(s, stmt->target);
  for (const Expr* target : stmt->targets) {
    if (stmt->kind != StmtKind::kLoader) search(s, target);
  }
  if (!value_first && stmt->kind != StmtKind::kFilterBlock) search(s, stmt->value);
  for (const Expr* item : stmt->items) search(s, item);
  for (const Expr* item : stmt->parameters) {
    if (item->name == s.name && !s.found) s.assigned = true;
  }
  for (const Expr* item : stmt->defaults) search(s, item);
  search(s, stmt->body);
  if (stmt->kind == StmtKind::kFilterBlock) search(s, stmt->value);
  for (const Stmt* elif : stmt->elifs) search(s, elif);
  search(s, stmt->else_body);
  if (stmt->test) search(s, stmt->test);
}

bool assigns_loop(const Expr* expr) {
  if (!expr) return false;
  if (expr->kind == ExprKind::kName) return expr->is_store && expr->name == "loop";
  return std::any_of(expr->items.begin(), expr->items.end(), [](const Expr* item) { return assigns_loop(item); });
}

}  // namespace

bool uses_name(const Body& body, const char* name) {
  Search s{name};
  search(s, body);
  return s.found;
}

bool assigns_loop(const Stmt* stmt) {
  const auto in = [](const Body& body) {
    return std::any_of(body.begin(), body.end(), [](const Stmt* child) { return assigns_loop(child); });
  };
  const auto any = [](const std::vector<Expr*>& list) {
    return std::any_of(list.begin(), list.end(), [](const Expr* child) { return assigns_loop(child); });
  };
  return assigns_loop(stmt->target) || any(stmt->targets) || in(stmt->body) || in(stmt->else_body) || in(stmt->elifs);
}

bool has_scoped_block(const Body& body) {
  return std::any_of(body.begin(), body.end(), [](const Stmt* child) {
    return (child->kind == StmtKind::kBlock && child->scoped) || has_scoped_block(child->body) ||
           has_scoped_block(child->else_body) || has_scoped_block(child->elifs);
  });
}

}  // namespace hearth::jinja
