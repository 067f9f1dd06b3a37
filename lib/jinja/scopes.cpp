// Names to places: Jinja's scoping rules, decided before anything runs.
//
// A scope (loop body, macro, with, set block, ...) belongs to a function; an `if` opens none. The rules follow what
// Jinja's compiler does, oddities included: a name that is assigned anywhere in a scope is that scope's own from its
// start, unless it was read there before; a name assigned in some branches of an `if` only begins as the outer
// variable; loop bodies start afresh in every round.
//
// Here is the second walk, which gives every name its place and every statement its scope; symbols.h has the first.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/name_search.h"
#include "lib/jinja/parser.h"
#include "lib/jinja/symbols.h"

namespace hearth::jinja {
namespace {

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
    Symbols root = table_.scope(nullptr, 0);
    if (uses_name(tmpl_.body, "self")) {
      tmpl_.uses_self = true;
      tmpl_.self_index = table_.declare_parameter(root, "self");
    }
    table_.visit(root, tmpl_.body);
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

  int new_function(int parent) {
    tmpl_.functions.push_back({0, parent});
    return static_cast<int>(tmpl_.functions.size()) - 1;
  }

  Symbols inner(const Frame& frame, int function) { return table_.scope(frame.symbols, function); }

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
        fail(concat("No ", (is_filter ? "filter" : "test"), " named '", expr->name, "'."), expr->offset);
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
        table_.visit(symbols, stmt->value);
        table_.visit(symbols, stmt->body);
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
    table_.visit(symbols, stmt->body);
    enter(stmt->scope, stmt->body, frame, symbols);
    resolve(stmt->value, Frame{&symbols, frame.function, false, false, false});
    resolve(stmt->target, frame);
  }

  void resolve_filter_block(Stmt* stmt, const Frame& frame) {
    Symbols symbols = inner(frame, frame.function);
    table_.visit(symbols, stmt->body);
    table_.visit(symbols, stmt->value);
    enter(stmt->scope, stmt->body, frame, symbols);
    resolve(stmt->value, Frame{&symbols, frame.function, false, false, false});
  }

  void resolve_with(Stmt* stmt, const Frame& frame) {
    for (Expr* value : stmt->items) resolve(value, frame);
    Symbols symbols = inner(frame, frame.function);
    for (const Expr* target : stmt->targets) table_.visit_parameters(symbols, target);
    table_.visit(symbols, stmt->body);
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
    for (const Expr* parameter : stmt->parameters) table_.declare_parameter(symbols, parameter->name);
    if (uses_name(stmt->body, "caller")) {
      stmt->uses_caller = true;
      const size_t first_default = stmt->parameters.size() - stmt->defaults.size();
      for (size_t i = 0; i < first_default; ++i) {
        if (stmt->parameters[i]->name == "caller") {
          fail("the special 'caller' argument must be omitted or be given a default", stmt->offset);
        }
      }
      stmt->caller_index = table_.declare_parameter(symbols, "caller");
    }
    if (!is_parameter("kwargs") && uses_name(stmt->body, "kwargs")) {
      stmt->uses_kwargs = true;
      stmt->kwargs_index = table_.declare_parameter(symbols, "kwargs");
    }
    if (!is_parameter("varargs") && uses_name(stmt->body, "varargs")) {
      stmt->uses_varargs = true;
      stmt->varargs_index = table_.declare_parameter(symbols, "varargs");
    }
    for (const Expr* value : stmt->defaults) table_.visit(symbols, value);
    table_.visit(symbols, stmt->body);
    Frame frame{&symbols, stmt->function, false, false, false};
    stmt->scope = scope_of(symbols, frame);
    for (Expr* parameter : stmt->parameters) resolve(parameter, frame);
    for (Expr* value : stmt->defaults) resolve(value, frame);
    resolve(stmt->body, frame);
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
    if (stmt->extended_loop) stmt->loop_index = table_.declare_parameter(body, "loop");
    table_.visit_parameters(body, stmt->target);
    table_.visit(body, stmt->body);
    Frame body_frame{&body, function, false, false, true};
    if (stmt->test) resolve_loop_test(stmt, frame, function);
    resolve(stmt->target, body_frame);
    stmt->scope = scope_of(body, body_frame);
    resolve(stmt->body, body_frame);

    Symbols otherwise = inner(frame, function);
    table_.visit(otherwise, stmt->else_body);
    // The else part stands after Python's loop: an outer loop is what break would leave.
    Frame else_frame{&otherwise, function, false, false, !stmt->recursive && frame.in_loop};
    stmt->else_scope = scope_of(otherwise, else_frame);
    resolve(stmt->else_body, else_frame);
  }

  void resolve_loop_test(Stmt* stmt, const Frame& outer, int function) {
    stmt->test_function = new_function(function);
    Symbols symbols = inner(outer, stmt->test_function);
    table_.visit_parameters(symbols, stmt->target);
    table_.visit(symbols, stmt->test);
    Frame frame{&symbols, stmt->test_function, false, false, false};
    stmt->test_scope = scope_of(symbols, frame);
    stmt->test_target = clone_target(stmt->target);
    resolve(stmt->test_target, frame);
    resolve(stmt->test, frame);
  }

  void resolve_block(Stmt* block) {
    block->function = new_function(-1);
    Symbols symbols = table_.scope(nullptr, block->function);
    if (uses_name(block->body, "self")) {
      block->uses_caller = true;  // for blocks: `self` is wanted
      block->caller_index = table_.declare_parameter(symbols, "self");
    }
    table_.visit(symbols, block->body);
    Frame frame{&symbols, block->function, false, false, false};
    block->scope = scope_of(symbols, frame);
    resolve(block->body, frame);
  }

  Template& tmpl_;
  SyntaxError& error_;
  SymbolTable table_{tmpl_};
  bool failed_ = false;
};

}  // namespace

bool resolve_scopes(Template& tmpl, SyntaxError& error) {
  return Resolver(tmpl, error).run();
}

}  // namespace hearth::jinja
