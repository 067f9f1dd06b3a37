// The first walk over a scope. The rules are Jinja's, see scopes.cpp.
#include "lib/jinja/symbols.h"

#include "lib/jinja/name_search.h"

namespace hearth::jinja {

Symbols SymbolTable::scope(Symbols* parent, int function) {
  Symbols out;
  out.parent = parent;
  out.function = function;
  out.id = next_id_++;
  return out;
}

Place SymbolTable::define(Symbols& symbols, const std::string& name) {
  const auto [at, is_new] = places_.try_emplace({symbols.id, name});
  if (is_new) {
    at->second = {symbols.function, tmpl_.functions[static_cast<size_t>(symbols.function)].n_slots++};
  }
  symbols.places[name] = at->second;
  return at->second;
}

uint32_t SymbolTable::declare_parameter(Symbols& symbols, const std::string& name) {
  symbols.stores.insert(name);
  const Place place = define(symbols, name);
  symbols.loads.erase(place.index);
  symbols.parameters.insert(place.index);
  return place.index;
}

void SymbolTable::store(Symbols& symbols, const std::string& name) {
  symbols.stores.insert(name);
  if (symbols.find_here(name)) return;
  const Place* outer = symbols.parent ? symbols.parent->find(name) : nullptr;
  const PendingLoad load{{}, outer ? LoadAction::kAlias : LoadAction::kMissing, name, outer ? *outer : Place{}};
  const Place place = define(symbols, name);
  symbols.loads[place.index] = load;
  symbols.loads[place.index].place = place;
}

void SymbolTable::load(Symbols& symbols, const std::string& name) {
  if (symbols.find(name)) return;
  const Place place = define(symbols, name);
  symbols.loads[place.index] = {place, LoadAction::kResolve, name, {}};
}

void SymbolTable::merge_branches(Symbols& symbols, std::vector<Symbols>& branches) {
  std::map<std::string, size_t> counts;
  for (const Symbols& branch : branches) {
    for (const std::string& name : branch.stores) {
      if (!symbols.is_stored(name)) ++counts[name];
    }
  }
  for (Symbols& branch : branches) {
    for (const auto& [name, place] : branch.places) symbols.places[name] = place;
    for (const auto& [index, pending] : branch.loads) symbols.loads[index] = pending;
    symbols.stores.insert(branch.stores.begin(), branch.stores.end());
  }
  for (const auto& [name, n] : counts) {
    if (n == branches.size()) continue;
    const Place place = *symbols.find(name);
    const Place* outer = symbols.parent ? symbols.parent->find(name) : nullptr;
    symbols.loads[place.index] = {place, outer ? LoadAction::kAlias : LoadAction::kResolve, name,
                                  outer ? *outer : Place{}};
  }
}

void SymbolTable::visit(Symbols& symbols, const Expr* expr) {
  if (!expr) return;
  if (expr->kind == ExprKind::kName) {
    if (expr->is_store) {
      store(symbols, expr->name);
    } else {
      load(symbols, expr->name);
    }
  } else if (expr->kind == ExprKind::kNamespaceSet) {
    load(symbols, expr->name);
  }
  each_child(expr, [&](const Expr* child) { visit(symbols, child); });
}

void SymbolTable::visit(Symbols& symbols, const Body& body) {
  for (const Stmt* stmt : body) visit(symbols, stmt);
}

void SymbolTable::visit(Symbols& symbols, const Stmt* stmt) {
  switch (stmt->kind) {
    case StmtKind::kOutput:
    case StmtKind::kWith:
      for (const Expr* item : stmt->items) visit(symbols, item);
      break;
    case StmtKind::kFor:
    case StmtKind::kCallBlock:
    case StmtKind::kFilterBlock: visit(symbols, stmt->value); break;
    case StmtKind::kIf: visit_if(symbols, stmt); break;
    case StmtKind::kSet:
      visit(symbols, stmt->value);
      visit(symbols, stmt->target);
      break;
    case StmtKind::kSetBlock: visit(symbols, stmt->target); break;
    case StmtKind::kMacro: store(symbols, stmt->text); break;
    case StmtKind::kLoader:
      visit(symbols, stmt->value);
      for (const Expr* name : stmt->targets) store(symbols, name->name);
      break;
    default: break;
  }
}

void SymbolTable::visit_if(Symbols& symbols, const Stmt* stmt) {
  visit(symbols, stmt->value);
  Symbols branch;
  branch.parent = symbols.parent;
  branch.base = &symbols;
  branch.function = symbols.function;
  branch.id = symbols.id;
  std::vector<Symbols> branches(3, branch);
  visit(branches[0], stmt->body);
  for (const Stmt* elif : stmt->elifs) visit(branches[1], elif);
  visit(branches[2], stmt->else_body);
  merge_branches(symbols, branches);
}

void SymbolTable::visit_parameters(Symbols& symbols, const Expr* target) {
  if (target->kind == ExprKind::kName) declare_parameter(symbols, target->name);
  for (const Expr* item : target->items) visit_parameters(symbols, item);
}

}  // namespace hearth::jinja
