// The syntax tree of a template. Nodes live in the Template that owns them and are immutable once compiled, so
// threads may share them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "lib/jinja/big_int.h"

namespace hearth::jinja {

/// Where a variable lies at run time: `hops` functions outwards, then a place in that function's frame.
struct Slot {
  static constexpr uint32_t kByName = UINT32_MAX;
  uint32_t hops = 0;
  uint32_t index = kByName;  ///< kByName: look the name up in the context
};

enum class ExprKind : uint8_t {
  kConst,
  kName,
  kTuple,
  kList,
  kDict,  // items: key, value, key, value, ...
  kNeg,
  kPos,
  kNot,
  kBinary,
  kAnd,
  kOr,
  kConcat,
  kCompare,  // items[0] ops[0] items[1] ops[1] ...
  kAttribute,
  kItem,
  kSlice,  // items: start, stop, step; nullptr when left out
  kCall,
  kFilter,  // items[0]: the input; nullptr for the body of a filter block
  kTest,
  kCondition,     // items: test, value, else value (nullptr when left out)
  kNamespaceSet,  // a target: name.attribute
};

enum class Op : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Constant {
  enum class Kind : uint8_t { kNone, kBool, kInt, kBig, kFloat, kString };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double number = 0;
  BigInt big;
  std::string text;
};

struct Expr;

struct Arguments {
  std::vector<Expr*> positional;
  std::vector<std::pair<std::string, Expr*>> named;
  Expr* star = nullptr;         // *args
  Expr* double_star = nullptr;  // **kwargs
};

struct Expr {
  ExprKind kind;
  uint32_t offset;        // into the source
  uint32_t depth = 1;     // height of the tree below
  bool is_store = false;  // kName: assigned to
  Op op = Op::kAdd;
  uint32_t constant = 0;  // kConst: index into Template::constants
  uint32_t callee = 0;    // kFilter, kTest: index of the built-in; UINT32_MAX when there is none
  Slot slot;              // kName, kNamespaceSet
  std::string name;       // variable, attribute, filter, test
  std::string attribute;  // kNamespaceSet
  std::vector<Expr*> items;
  std::vector<Op> ops;
  Arguments arguments;
};

enum class LoadAction : uint8_t { kResolve, kAlias, kMissing };

/// What to put into a variable's place when its scope is entered.
struct Load {
  uint32_t index;
  LoadAction action;
  std::string name;  // kResolve
  Slot alias;        // kAlias
};

struct Scope {
  std::vector<Load> loads;
  std::vector<uint32_t> all;  // places to empty when the scope is left, parameters included
};

enum class StmtKind : uint8_t {
  kData,
  kOutput,
  kFor,
  kIf,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBlock,
  kAutoescape,
  kGeneration,
  kBreak,
  kContinue,
  kLoader,  // extends, include, import: there is nothing to load from
};

struct Stmt;
using Body = std::vector<Stmt*>;

/// A body with variables of its own: the whole template, a macro, a recursive loop, a loop's filter, a block.
struct Function {
  uint32_t n_slots = 0;
  int parent = -1;
};

struct Stmt {
  StmtKind kind;
  uint32_t offset;
  std::string text;            // kData; name of a macro or block; the tag of kLoader
  std::vector<Expr*> items;    // kOutput: values; kWith: values
  std::vector<Expr*> targets;  // kWith
  Expr* target = nullptr;      // kFor, kSet, kSetBlock
  Expr* value = nullptr;       // kFor: iterable; kIf: test; kSet; kCallBlock: the call; kFilterBlock, kSetBlock: filter
  Expr* test = nullptr;        // kFor: filter
  Body body, else_body;
  std::vector<Stmt*> elifs;       // kIf, in order; each a kIf without an else
  std::vector<Expr*> parameters;  // kMacro, kCallBlock
  std::vector<Expr*> defaults;    // of the last parameters
  bool recursive = false, scoped = false, required = false;

  // Filled in by resolve_scopes().
  bool extended_loop = false;  // the body uses `loop`
  bool toplevel = false;       // assignments are visible to blocks
  bool uses_caller = false, uses_kwargs = false, uses_varargs = false;
  int function = -1;       // kMacro, kCallBlock, kGeneration, kBlock, recursive kFor
  int test_function = -1;  // kFor with a filter
  Slot self;               // kMacro: its name; kFor: `loop`
  uint32_t loop_index = 0, caller_index = 0, kwargs_index = 0, varargs_index = 0;
  Expr* test_target = nullptr;  // kFor with a filter: the target as the filter's function sees it
  Scope scope, else_scope, test_scope;
};

struct Template {
  std::string source;  // normalized
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  std::vector<Constant> constants;
  Body body;
  Scope scope;
  std::vector<Function> functions;  // [0] is the template itself
  std::vector<Stmt*> blocks;
  bool uses_self = false;
  uint32_t self_index = 0;
};

}  // namespace hearth::jinja
