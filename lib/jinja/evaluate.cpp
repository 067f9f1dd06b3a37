// Expressions, calls and macros.
#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"

namespace hearth::jinja {

Value Interpreter::eval(const Expr* expr) {
  if (failed_) return Value();
  if (expr->kind == ExprKind::kConst) return eval_constant(expr);
  const Depth depth(*this);
  if (!step()) return Value();
  Value value = eval_inner(expr);
  if (!failed_) return value;
  locate(expr->offset);
  return Value();
}

Value Interpreter::eval_inner(const Expr* expr) {
  switch (expr->kind) {
    case ExprKind::kConst: return eval_constant(expr);
    case ExprKind::kName: return eval_name(expr);
    case ExprKind::kTuple:
    case ExprKind::kList: {
      std::vector<Value> items;
      items.reserve(expr->items.size());
      for (const Expr* item : expr->items) items.push_back(eval(item));
      if (failed_) return Value();
      return sequence(expr->kind == ExprKind::kList ? Kind::kList : Kind::kTuple, std::move(items));
    }
    case ExprKind::kDict: return eval_dict(expr);
    case ExprKind::kNeg:
    case ExprKind::kPos: return negate(eval(expr->items[0]), expr->kind == ExprKind::kNeg);
    case ExprKind::kNot: return Value(!truthy(eval(expr->items[0])));
    case ExprKind::kBinary: {
      const Value left = eval(expr->items[0]);
      const Value right = eval(expr->items[1]);
      return failed_ ? Value() : binary(expr->op, left, right);
    }
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      Value left = eval(expr->items[0]);
      if (truthy(left) == (expr->kind == ExprKind::kOr)) return left;
      return eval(expr->items[1]);
    }
    case ExprKind::kConcat: return eval_concat(expr);
    case ExprKind::kCompare: return eval_compare(expr);
    case ExprKind::kAttribute: {
      const Value object = eval(expr->items[0]);
      return failed_ ? Value() : attribute(object, string(expr->name));
    }
    case ExprKind::kItem: return eval_item(expr);
    case ExprKind::kCall: return eval_call(expr, nullptr);
    case ExprKind::kFilter: return eval_filter(expr, nullptr);
    case ExprKind::kTest: {
      const Value input = eval(expr->items[0]);
      CallArgs args;
      if (failed_ || !eval_arguments(expr->arguments, args)) return Value();
      if (expr->callee == UINT32_MAX) return fail(concat("No test named '", expr->name, "' found."));
      return Value(test(expr->callee, input, args));
    }
    case ExprKind::kCondition:
      if (truthy(eval(expr->items[0]))) return eval(expr->items[1]);
      if (failed_) return Value();
      if (expr->items[2]) return eval(expr->items[2]);
      return undefined_hint("the inline if-expression evaluated to false and no else section was defined.");
    case ExprKind::kSlice:
    case ExprKind::kNamespaceSet: break;
  }
  return fail("this expression has no value");
}

Value Interpreter::eval_constant(const Expr* expr) {
  Value& cached = constants_[expr->constant];
  if (!cached.is_missing()) return cached;
  const Constant& constant = tmpl_.constants[expr->constant];
  switch (constant.kind) {
    case Constant::Kind::kNone: cached = Value(); break;
    case Constant::Kind::kBool: cached = Value(constant.integer != 0); break;
    case Constant::Kind::kInt: cached = Value(constant.integer); break;
    case Constant::Kind::kBig: cached = integer(constant.big); break;
    case Constant::Kind::kFloat: cached = Value(constant.number); break;
    case Constant::Kind::kString: cached = string(constant.text); break;
  }
  return cached;
}

Value Interpreter::eval_name(const Expr* expr) {
  Value value = expr->slot.index == Slot::kByName ? resolve(expr->name) : place(expr->slot);
  return value.is_missing() ? undefined_name(expr->name) : value;
}

Value Interpreter::eval_dict(const Expr* expr) {
  const Value out(new Dict(heap_));
  for (size_t i = 0; i + 1 < expr->items.size(); i += 2) {
    Value key = eval(expr->items[i]);
    Value value = eval(expr->items[i + 1]);
    if (failed_) return Value();
    if (!is_hashable(key)) return fail_type(concat("unhashable type: '", type_name(key), "'"));
    step(key_cost(key));
    out.as<Dict>().set(std::move(key), std::move(value));
  }
  return out;
}

Value Interpreter::eval_concat(const Expr* expr) {
  std::vector<Value> items;
  bool markup = false;
  for (const Expr* item : expr->items) {
    items.push_back(eval(item));
    if (failed_) return Value();
    markup = markup || (items.back().is_string() && items.back().as<String>().markup);
  }
  markup = markup && autoescape_;
  Text out;
  for (const Value& item : items) {
    if (markup) {
      out.append(escape_html(*this, item));
    } else {
      print(out, item);
    }
    if (failed_ || !room(out.size())) return Value();
  }
  return string(std::move(out), markup);
}

Value Interpreter::eval_compare(const Expr* expr) {
  Value left = eval(expr->items[0]);
  Value result;
  for (size_t i = 0; i < expr->ops.size(); ++i) {
    Value right = eval(expr->items[i + 1]);
    if (failed_) return Value();
    result = compare(expr->ops[i], left, right);
    if (failed_ || !truthy(result)) return result;
    left = std::move(right);
  }
  return result;
}

Value Interpreter::eval_item(const Expr* expr) {
  const Value object = eval(expr->items[0]);
  const Expr* key = expr->items[1];
  if (failed_) return Value();
  if (key->kind != ExprKind::kSlice) {
    const Value index = eval(key);
    return failed_ ? Value() : item(object, index);
  }
  Value parts[3];
  for (size_t i = 0; i < 3; ++i) {
    if (key->items[i]) parts[i] = eval(key->items[i]);
  }
  return failed_ ? Value() : slice(object, parts[0], parts[1], parts[2]);
}

// *args and **kwargs.
bool Interpreter::spread(const Arguments& arguments, CallArgs& out) {
  if (arguments.star) {
    std::vector<Value> items;
    if (!collect(eval(arguments.star), items)) return false;
    for (Value& item : items) out.positional.push_back(std::move(item));
  }
  if (!arguments.double_star) return true;
  const Value more = eval(arguments.double_star);
  if (failed_) return false;
  if (!more.is(Kind::kDict)) {
    fail_type("argument after ** must be a mapping");
    return false;
  }
  for (const Dict::Entry& entry : more.as<Dict>().entries) {
    if (!entry.key.is_string()) {
      fail_type("keywords must be strings");
      return false;
    }
    const std::string name(entry.key.as<String>().bytes());
    for (const auto& named : out.named) {
      if (step() && named.first == name) fail_type(concat("got multiple values for keyword argument '", name, "'"));
    }
    if (failed_) return false;
    out.named.emplace_back(name, entry.value);
  }
  return true;
}

bool Interpreter::eval_arguments(const Arguments& arguments, CallArgs& out) {
  for (const Expr* item : arguments.positional) out.positional.push_back(eval(item));
  for (const auto& [name, value] : arguments.named) out.named.emplace_back(name, eval(value));
  return !failed_ && spread(arguments, out);
}

Value Interpreter::eval_call(const Expr* expr, const Value* caller) {
  const Value callable = eval(expr->items[0]);
  CallArgs args;
  if (failed_ || !eval_arguments(expr->arguments, args)) return Value();
  if (caller) args.named.emplace_back("caller", *caller);
  return call(callable, args);
}

Value Interpreter::eval_filter(const Expr* expr, const Value* body) {
  Value input;
  if (!expr->items[0]) {
    if (body) input = *body;
  } else if (body) {
    input = eval_filter(expr->items[0], body);
  } else {
    input = eval(expr->items[0]);
  }
  CallArgs args;
  if (failed_ || !eval_arguments(expr->arguments, args)) return Value();
  if (expr->callee == UINT32_MAX) return fail(concat("No filter named '", expr->name, "' found."));
  return filter(expr->callee, input, args);
}

Value Interpreter::call(const Value& callable, const CallArgs& args) {
  const Depth depth(*this);
  if (!step()) return Value();
  switch (callable.kind()) {
    case Kind::kFunction: return callable.as<NativeFunction>().run(*this, args);
    case Kind::kMethod: {
      const Value keep = callable;
      const Method& method = keep.as<Method>();
      return method.entry.run(*this, method.self, args);
    }
    case Kind::kMacro: {
      const Value keep = callable;
      return call_macro(keep.as<Macro>(), args);
    }
    case Kind::kLoop: {
      const Loop& loop = callable.as<Loop>();
      Bound bound;
      if (!bind("loop", args, {"iterable"}, 1, bound)) return Value();
      if (!loop.stmt.recursive) {
        return fail_type("The loop must have the 'recursive' marker to be called recursively.");
      }
      const Value keep = callable;
      return recurse_loop(loop.stmt, loop.frame, loop.depth0 + 1, bound[0]);
    }
    case Kind::kJoiner: {
      Joiner& joiner = callable.as<Joiner>();
      if (joiner.used) return joiner.separator;
      joiner.used = true;
      return string("");
    }
    case Kind::kUndefined: return fail_undefined(callable);
    default: return fail_type(concat("'", type_name(callable), "' object is not callable"));
  }
}

bool Interpreter::is_callable(const Value& value) {
  switch (value.kind()) {
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
    case Kind::kUndefined: return true;
    default: return false;
  }
}

bool Interpreter::bind_macro(const Macro& macro, const CallArgs& args, std::vector<Value>& slots) {
  const Stmt& stmt = macro.stmt;
  const size_t n = stmt.parameters.size();
  const std::string name = macro.is_anonymous() ? "None" : concat("'", stmt.text, "'");
  std::vector<bool> used(args.named.size(), false);
  const auto take = [&](std::string_view key) {
    for (size_t i = 0; i < args.named.size(); ++i) {
      if (!used[i] && args.named[i].first == key) {
        used[i] = true;
        return args.named[i].second;
      }
    }
    return Value::missing();
  };
  bool found_caller = false;
  for (size_t i = 0; i < n; ++i) {
    const Expr* parameter = stmt.parameters[i];
    found_caller = found_caller || parameter->name == "caller";
    slots[parameter->slot.index] = i < args.positional.size() ? args.positional[i] : take(parameter->name);
  }
  if (stmt.uses_caller && !found_caller) {
    const Value caller = take("caller");
    slots[stmt.caller_index] = caller.is_missing() || caller.is_none() ? undefined_hint("No caller defined") : caller;
  }
  Value rest;
  if (stmt.uses_kwargs) slots[stmt.kwargs_index] = rest = Value(new Dict(heap_));
  for (size_t i = 0; i < args.named.size(); ++i) {
    if (used[i]) continue;
    const auto& [key, value] = args.named[i];
    if (stmt.uses_kwargs) {
      rest.as<Dict>().set(string(key, false), value);
      continue;
    }
    fail_type(concat("macro ", name,
                     (key == "caller" ? std::string(" was invoked with two values for the special caller argument.")
                                      : concat(" takes no keyword argument '", key, "'"))));
    return false;
  }
  if (stmt.uses_varargs) {
    std::vector<Value> more;
    for (size_t i = n; i < args.positional.size(); ++i) more.push_back(args.positional[i]);
    slots[stmt.varargs_index] = tuple(std::move(more));
  } else if (args.positional.size() > n) {
    fail_type(concat("macro ", name, " takes not more than ", n, " argument(s)"));
    return false;
  }
  return true;
}

Value Interpreter::call_macro(const Macro& macro, const CallArgs& args) {
  const Depth depth(*this);
  const Stmt& stmt = macro.stmt;
  const size_t n = stmt.parameters.size(), first_default = n - stmt.defaults.size();
  // A frame for all variables, and a search among the names for every parameter.
  const uint64_t n_slots = tmpl_.functions[static_cast<size_t>(stmt.function)].n_slots;
  if (failed_ || !step(n_slots / 8 + n * args.named.size() / 16)) return Value();
  Value frame_value(new FrameObject(heap_, static_cast<uint32_t>(n_slots), macro.frame));
  std::vector<Value>& slots = frame_value.as<FrameObject>().slots;
  if (!bind_macro(macro, args, slots)) return Value();

  const Value saved = std::exchange(frame_, frame_value);
  Text text;
  Text* const saved_out = std::exchange(out_, &text);
  enter(stmt.scope);
  for (size_t i = 0; i < n && !failed_; ++i) {
    Value& slot = slots[stmt.parameters[i]->slot.index];
    if (!slot.is_missing()) continue;
    Value value = i >= first_default
                      ? eval(stmt.defaults[i - first_default])
                      : undefined_hint(concat("parameter '", stmt.parameters[i]->name, "' was not provided"));
    slot = std::move(value);
  }
  if (!failed_) exec(stmt.body);
  out_ = saved_out;
  frame_ = saved;
  return failed_ ? Value() : captured(std::move(text));
}

bool Interpreter::bind(const char* function, const CallArgs& args, std::initializer_list<const char*> names,
                       size_t required, Bound& out) {
  for (Value& value : out.values) value = Value::missing();
  if (args.positional.size() > names.size()) {
    fail_type(concat(function, "() takes at most ", names.size(), " arguments (", args.positional.size(), " given)"));
    return false;
  }
  for (size_t i = 0; i < args.positional.size(); ++i) out.values[i] = args.positional[i];
  for (const auto& [name, value] : args.named) {
    size_t at = 0;
    while (at < names.size() && name != names.begin()[at]) ++at;
    if (at == names.size()) {
      fail_type(concat(function, "() got an unexpected keyword argument '", name, "'"));
      return false;
    }
    if (out.has(at)) {
      fail_type(concat(function, "() got multiple values for argument '", name, "'"));
      return false;
    }
    out.values[at] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!out.has(i)) {
      fail_type(concat(function, "() missing a required argument: '", names.begin()[i], "'"));
      return false;
    }
  }
  return true;
}

int64_t Interpreter::to_index(const Value& value, const char* what) {
  if (value.is_small_int()) return value.as_int();
  if (value.is(Kind::kBigInt)) return value.as<BigNumber>().value.is_negative() ? INT64_MIN : INT64_MAX;
  if (value.is_undefined()) {
    fail_undefined(value);
  } else {
    fail_type(concat("'", type_name(value), "' object cannot be interpreted as an ", what));
  }
  return 0;
}

const char* Interpreter::type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone: return "NoneType";
    case Kind::kBool: return "bool";
    case Kind::kInt:
    case Kind::kBigInt: return "int";
    case Kind::kFloat: return "float";
    case Kind::kString: return value.as<String>().markup ? "Markup" : "str";
    case Kind::kList: return "list";
    case Kind::kTuple: return "tuple";
    case Kind::kDict: return "dict";
    case Kind::kDictView: {
      const DictView::What what = value.as<DictView>().what;
      return what == DictView::What::kKeys     ? "dict_keys"
             : what == DictView::What::kValues ? "dict_values"
                                               : "dict_items";
    }
    case Kind::kRange: return "range";
    case Kind::kNamespace: return "Namespace";
    case Kind::kFunction: return "function";
    case Kind::kMethod: return "builtin_function_or_method";
    case Kind::kMacro: return "Macro";
    case Kind::kLoop: return "LoopContext";
    case Kind::kIterator: return "generator";
    case Kind::kCycler: return "Cycler";
    case Kind::kJoiner: return "Joiner";
    case Kind::kBlockTable: return "TemplateReference";
    case Kind::kUndefined: return "Undefined";
    case Kind::kMissing:
    case Kind::kFrame: break;
  }
  return "object";
}

}  // namespace hearth::jinja
