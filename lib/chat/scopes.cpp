// Names to places: Jinja's scoping rules, decided before anything runs.
//
// A scope (loop body, macro, with, set block, ...) belongs to a function; an `if` opens none. The rules follow what
// Jinja's compiler does, oddities included: a name that is assigned anywhere in a scope is that scope's own from its
// start, unless it was read there before; a name assigned in some branches of an `if` only begins as the outer
// variable; loop bodies start afresh in every round.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "lib/chat/parser.h"

namespace hearth::jinja {
namespace {

// A variable's place, absolute: function and index in its frame.
struct Place {
  int function = 0;
  uint32_t index = 0;
};

struct PendingLoad {
  Place place;
  LoadAction action;
  std::string name;
  Place alias;
};

struct Symbols {
  Symbols* parent = nullptr;
  int function = 0;
  int id = 0;                             // the same in copies made for branches
  std::map<std::string, Place> places;    // names known here
  std::map<uint32_t, PendingLoad> loads;  // by index; parameters have none
  std::set<std::string> stores;
  std::set<uint32_t> parameters;

  const Place* find(const std::string& name) const {
    for (const Symbols* at = this; at; at = at->parent) {
      const auto found = at->places.find(name);
      if (found != at->places.end()) return &found->second;
    }
    return nullptr;
  }
};

// What the code around a statement looks like.
struct Frame {
  Symbols* symbols = nullptr;
  int function = 0;
  bool toplevel = false;
  bool soft = false;     // inside an if: unknown filters are found out when they run
  bool in_loop = false;  // break and continue mean something
};

class Resolver {
 public:
  Resolver(Template& tmpl, SyntaxError& error) : tmpl_(tmpl), error_(error) {}

  bool run() {
    tmpl_.functions.push_back({});
    Symbols root;
    root.id = next_id_++;
    if (uses_name(tmpl_.body, "self")) {
      tmpl_.uses_self = true;
      tmpl_.self_index = declare_parameter(root, "self");
    }
    visit(root, tmpl_.body);
    Frame frame{&root, 0, true, false, false};
    tmpl_.scope = scope_of(root, frame);
    resolve(tmpl_.body, frame);
    for (Stmt* block : tmpl_.blocks) {
      if (!failed_) resolve_block(block);
    }
    return !failed_;
  }

 private:
  void fail(std::string message, uint32_t offset) {
    if (!failed_) error_ = {std::move(message), offset};
    failed_ = true;
  }

  // --- Symbols ---

  int new_function(int parent) {
    tmpl_.functions.push_back({0, parent});
    return static_cast<int>(tmpl_.functions.size()) - 1;
  }

  Symbols inner(const Frame& frame, int function) {
    Symbols out;
    out.parent = frame.symbols;
    out.function = function;
    out.id = next_id_++;
    return out;
  }

  Place define(Symbols& symbols, const std::string& name) {
    const auto [at, is_new] = places_.try_emplace({symbols.id, name});
    if (is_new) {
      at->second = {symbols.function, tmpl_.functions[static_cast<size_t>(symbols.function)].n_slots++};
    }
    symbols.places[name] = at->second;
    return at->second;
  }

  uint32_t declare_parameter(Symbols& symbols, const std::string& name) {
    symbols.stores.insert(name);
    const Place place = define(symbols, name);
    symbols.loads.erase(place.index);
    symbols.parameters.insert(place.index);
    return place.index;
  }

  void store(Symbols& symbols, const std::string& name) {
    symbols.stores.insert(name);
    if (symbols.places.contains(name)) return;
    const Place* outer = symbols.parent ? symbols.parent->find(name) : nullptr;
    const PendingLoad load{{}, outer ? LoadAction::kAlias : LoadAction::kMissing, name, outer ? *outer : Place{}};
    const Place place = define(symbols, name);
    symbols.loads[place.index] = load;
    symbols.loads[place.index].place = place;
  }

  void load(Symbols& symbols, const std::string& name) {
    if (symbols.find(name)) return;
    const Place place = define(symbols, name);
    symbols.loads[place.index] = {place, LoadAction::kResolve, name, {}};
  }

  void merge_branches(Symbols& symbols, std::vector<Symbols>& branches) {
    std::map<std::string, size_t> counts;
    for (const Symbols& branch : branches) {
      for (const std::string& name : branch.stores) {
        if (!symbols.stores.contains(name)) ++counts[name];
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

  // --- First walk: which names a scope has. Bodies of inner scopes are left out. ---

  void visit(Symbols& symbols, const Expr* expr) {
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

  template <typename Visitor>
  static void each_child(const Expr* expr, Visitor visitor) {
    for (const Expr* item : expr->items) {
      if (item) visitor(item);
    }
    for (const Expr* item : expr->arguments.positional) visitor(item);
    for (const auto& named : expr->arguments.named) visitor(named.second);
    if (expr->arguments.star) visitor(expr->arguments.star);
    if (expr->arguments.double_star) visitor(expr->arguments.double_star);
  }

  void visit(Symbols& symbols, const Body& body) {
    for (const Stmt* stmt : body) visit(symbols, stmt);
  }

  void visit(Symbols& symbols, const Stmt* stmt) {
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

  void visit_if(Symbols& symbols, const Stmt* stmt) {
    visit(symbols, stmt->value);
    std::vector<Symbols> branches(3, symbols);
    visit(branches[0], stmt->body);
    for (const Stmt* elif : stmt->elifs) visit(branches[1], elif);
    visit(branches[2], stmt->else_body);
    merge_branches(symbols, branches);
  }

  void visit_parameters(Symbols& symbols, const Expr* target) {
    if (target->kind == ExprKind::kName) declare_parameter(symbols, target->name);
    for (const Expr* item : target->items) visit_parameters(symbols, item);
  }

  // --- Does a body read a name that it did not assign before? In the order of the source. ---

  struct Search {
    const char* name;
    bool found = false, assigned = false;
  };

  static void search(Search& s, const Expr* expr) {
    if (!expr || s.found || s.assigned) return;
    if (expr->kind == ExprKind::kName && expr->name == s.name) (expr->is_store ? s.assigned : s.found) = true;
    each_child(expr, [&](const Expr* child) { search(s, child); });
  }

  static void search(Search& s, const Body& body) {
    for (const Stmt* stmt : body) search(s, stmt);
  }

  static void search(Search& s, const Stmt* stmt) {
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

  static bool uses_name(const Body& body, const char* name) {
    Search s{name};
    search(s, body);
    return s.found;
  }

  // --- Second walk: places for every name, scopes for every statement. ---

  Slot slot_of(Place place, int function) const {
    Slot slot{0, place.index};
    for (int at = function; at != place.function && at >= 0; at = tmpl_.functions[static_cast<size_t>(at)].parent) {
      ++slot.hops;
    }
    return slot;
  }

  Scope scope_of(const Symbols& symbols, const Frame& frame) const {
    Scope scope;
    for (const auto& [index, pending] : symbols.loads) {
      scope.loads.push_back({index, pending.action, pending.name, slot_of(pending.alias, frame.function)});
      scope.all.push_back(index);
    }
    for (const uint32_t index : symbols.parameters) scope.all.push_back(index);
    return scope;
  }

  void resolve(Expr* expr, const Frame& frame) {
    if (!expr || failed_) return;
    if (expr->kind == ExprKind::kName || expr->kind == ExprKind::kNamespaceSet) {
      const Place* place = frame.symbols->find(expr->name);
      if (place) expr->slot = slot_of(*place, frame.function);
    }
    Frame inside = frame;
    if (expr->kind == ExprKind::kCondition) inside.soft = true;
    if (expr->kind == ExprKind::kFilter || expr->kind == ExprKind::kTest) {
      const bool is_filter = expr->kind == ExprKind::kFilter;
      expr->callee = is_filter ? find_filter(expr->name) : find_test(expr->name);
      if (expr->callee == UINT32_MAX && !frame.soft) {
        fail(std::string("No ") + (is_filter ? "filter" : "test") + " named '" + expr->name + "'.", expr->offset);
      }
    }
    for (Expr* item : expr->items) resolve(item, inside);
    for (Expr* item : expr->arguments.positional) resolve(item, inside);
    for (auto& named : expr->arguments.named) resolve(named.second, inside);
    resolve(expr->arguments.star, inside);
    resolve(expr->arguments.double_star, inside);
  }

  void resolve(const Body& body, const Frame& frame) {
    for (Stmt* stmt : body) {
      if (!failed_) resolve(stmt, frame);
    }
  }

  void resolve(Stmt* stmt, const Frame& frame) {
    stmt->toplevel = frame.toplevel;
    switch (stmt->kind) {
      case StmtKind::kData: break;
      case StmtKind::kOutput:
        for (Expr* item : stmt->items) resolve(item, frame);
        break;
      case StmtKind::kFor: resolve_for(stmt, frame); break;
      case StmtKind::kIf: resolve_if(stmt, frame); break;
      case StmtKind::kSet:
        resolve(stmt->value, frame);
        resolve(stmt->target, frame);
        break;
      case StmtKind::kSetBlock: resolve_set_block(stmt, frame); break;
      case StmtKind::kMacro: {
        resolve_macro(stmt, frame);
        if (const Place* place = frame.symbols->find(stmt->text)) stmt->self = slot_of(*place, frame.function);
        break;
      }
      case StmtKind::kCallBlock:
        resolve_macro(stmt, frame);
        resolve(stmt->value, frame);
        break;
      case StmtKind::kGeneration: resolve_macro(stmt, frame); break;
      case StmtKind::kFilterBlock: resolve_filter_block(stmt, frame); break;
      case StmtKind::kWith: resolve_with(stmt, frame); break;
      case StmtKind::kAutoescape: {
        resolve(stmt->value, frame);
        Symbols symbols = inner(frame, frame.function);
        visit(symbols, stmt->value);
        visit(symbols, stmt->body);
        enter(stmt->scope, stmt->body, frame, symbols);
        break;
      }
      case StmtKind::kBreak:
      case StmtKind::kContinue:
        if (!frame.in_loop) fail("'break' or 'continue' outside of a loop", stmt->offset);
        break;
      case StmtKind::kLoader: resolve(stmt->value, frame); break;
      case StmtKind::kBlock: break;  // a function of its own, see run()
    }
  }

  // A body in a scope of its own that stays in the same function.
  void enter(Scope& scope, const Body& body, const Frame& outer, Symbols& symbols) {
    Frame frame{&symbols, outer.function, false, false, outer.in_loop};
    scope = scope_of(symbols, frame);
    resolve(body, frame);
  }

  void resolve_if(Stmt* stmt, const Frame& frame) {
    Frame soft = frame;
    soft.soft = true;
    resolve(stmt->value, soft);
    resolve(stmt->body, soft);
    for (Stmt* elif : stmt->elifs) {
      resolve(elif->value, soft);
      resolve(elif->body, soft);
    }
    resolve(stmt->else_body, soft);
  }

  void resolve_set_block(Stmt* stmt, const Frame& frame) {
    Symbols symbols = inner(frame, frame.function);
    visit(symbols, stmt->body);
    enter(stmt->scope, stmt->body, frame, symbols);
    resolve(stmt->value, Frame{&symbols, frame.function, false, false, false});
    resolve(stmt->target, frame);
  }

  void resolve_filter_block(Stmt* stmt, const Frame& frame) {
    Symbols symbols = inner(frame, frame.function);
    visit(symbols, stmt->body);
    visit(symbols, stmt->value);
    enter(stmt->scope, stmt->body, frame, symbols);
    resolve(stmt->value, Frame{&symbols, frame.function, false, false, false});
  }

  void resolve_with(Stmt* stmt, const Frame& frame) {
    for (Expr* value : stmt->items) resolve(value, frame);
    Symbols symbols = inner(frame, frame.function);
    for (const Expr* target : stmt->targets) visit_parameters(symbols, target);
    visit(symbols, stmt->body);
    enter(stmt->scope, stmt->body, frame, symbols);
    for (Expr* target : stmt->targets) resolve(target, Frame{&symbols, frame.function, false, false, false});
  }

  void resolve_macro(Stmt* stmt, const Frame& outer) {
    stmt->function = new_function(outer.function);
    Symbols symbols = inner(outer, stmt->function);
    const auto is_parameter = [&](const char* name) {
      return std::any_of(stmt->parameters.begin(), stmt->parameters.end(),
                         [&](const Expr* parameter) { return parameter->name == name; });
    };
    for (const Expr* parameter : stmt->parameters) declare_parameter(symbols, parameter->name);
    if (uses_name(stmt->body, "caller")) {
      stmt->uses_caller = true;
      const size_t first_default = stmt->parameters.size() - stmt->defaults.size();
      for (size_t i = 0; i < first_default; ++i) {
        if (stmt->parameters[i]->name == "caller") {
          fail("the special 'caller' argument must be omitted or be given a default", stmt->offset);
        }
      }
      stmt->caller_index = declare_parameter(symbols, "caller");
    }
    if (!is_parameter("kwargs") && uses_name(stmt->body, "kwargs")) {
      stmt->uses_kwargs = true;
      stmt->kwargs_index = declare_parameter(symbols, "kwargs");
    }
    if (!is_parameter("varargs") && uses_name(stmt->body, "varargs")) {
      stmt->uses_varargs = true;
      stmt->varargs_index = declare_parameter(symbols, "varargs");
    }
    for (const Expr* value : stmt->defaults) visit(symbols, value);
    visit(symbols, stmt->body);
    Frame frame{&symbols, stmt->function, false, false, false};
    stmt->scope = scope_of(symbols, frame);
    for (Expr* parameter : stmt->parameters) resolve(parameter, frame);
    for (Expr* value : stmt->defaults) resolve(value, frame);
    resolve(stmt->body, frame);
  }

  static bool assigns_loop(const Expr* expr) {
    if (!expr) return false;
    if (expr->kind == ExprKind::kName) return expr->is_store && expr->name == "loop";
    return std::any_of(expr->items.begin(), expr->items.end(), [](const Expr* item) { return assigns_loop(item); });
  }

  static bool assigns_loop(const Stmt* stmt) {
    const auto in = [](const Body& body) {
      return std::any_of(body.begin(), body.end(), [](const Stmt* child) { return assigns_loop(child); });
    };
    const auto any = [](const std::vector<Expr*>& list) {
      return std::any_of(list.begin(), list.end(), [](const Expr* child) { return assigns_loop(child); });
    };
    return assigns_loop(stmt->target) || any(stmt->targets) || in(stmt->body) || in(stmt->else_body) || in(stmt->elifs);
  }

  static bool has_scoped_block(const Body& body) {
    return std::any_of(body.begin(), body.end(), [](const Stmt* child) {
      return (child->kind == StmtKind::kBlock && child->scoped) || has_scoped_block(child->body) ||
             has_scoped_block(child->else_body) || has_scoped_block(child->elifs);
    });
  }

  Expr* clone_target(const Expr* target) {
    tmpl_.exprs.push_back(*target);
    Expr* copy = &tmpl_.exprs.back();
    for (Expr*& item : copy->items) item = clone_target(item);
    return copy;
  }

  void resolve_for(Stmt* stmt, const Frame& frame) {
    resolve(stmt->value, frame);
    if (assigns_loop(stmt)) fail("Can't assign to special loop variable in for-loop target", stmt->offset);
    stmt->extended_loop = stmt->recursive || uses_name(stmt->body, "loop") || has_scoped_block(stmt->body);
    const int function = stmt->recursive ? new_function(frame.function) : frame.function;
    stmt->function = stmt->recursive ? function : -1;

    Symbols body = inner(frame, function);
    if (stmt->extended_loop) stmt->loop_index = declare_parameter(body, "loop");
    visit_parameters(body, stmt->target);
    visit(body, stmt->body);
    Frame body_frame{&body, function, false, false, true};
    if (stmt->test) resolve_loop_test(stmt, frame, function);
    resolve(stmt->target, body_frame);
    stmt->scope = scope_of(body, body_frame);
    resolve(stmt->body, body_frame);

    Symbols otherwise = inner(frame, function);
    visit(otherwise, stmt->else_body);
    // The else part stands after Python's loop: an outer loop is what break would leave.
    Frame else_frame{&otherwise, function, false, false, !stmt->recursive && frame.in_loop};
    stmt->else_scope = scope_of(otherwise, else_frame);
    resolve(stmt->else_body, else_frame);
  }

  void resolve_loop_test(Stmt* stmt, const Frame& outer, int function) {
    stmt->test_function = new_function(function);
    Symbols symbols = inner(outer, stmt->test_function);
    visit_parameters(symbols, stmt->target);
    visit(symbols, stmt->test);
    Frame frame{&symbols, stmt->test_function, false, false, false};
    stmt->test_scope = scope_of(symbols, frame);
    stmt->test_target = clone_target(stmt->target);
    resolve(stmt->test_target, frame);
    resolve(stmt->test, frame);
  }

  void resolve_block(Stmt* block) {
    block->function = new_function(-1);
    Symbols symbols;
    symbols.function = block->function;
    symbols.id = next_id_++;
    if (uses_name(block->body, "self")) {
      block->uses_caller = true;  // for blocks: `self` is wanted
      block->caller_index = declare_parameter(symbols, "self");
    }
    visit(symbols, block->body);
    Frame frame{&symbols, block->function, false, false, false};
    block->scope = scope_of(symbols, frame);
    resolve(block->body, frame);
  }

  Template& tmpl_;
  SyntaxError& error_;
  bool failed_ = false;
  int next_id_ = 0;
  std::map<std::pair<int, std::string>, Place> places_;
};

}  // namespace

bool resolve_scopes(Template& tmpl, SyntaxError& error) {
  return Resolver(tmpl, error).run();
}

}  // namespace hearth::jinja
