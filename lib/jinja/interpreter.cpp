// Errors, bounds, variables, and the run of statements.
#include "lib/jinja/interpreter.h"

#include "lib/base/concat.h"
#include "lib/jinja/parser.h"

namespace hearth::jinja {

Interpreter::Interpreter(const Template& tmpl, const RunOptions& options)
    : heap_(options.max_memory), tmpl_(tmpl), options_(options), constants_(tmpl.constants.size(), Value::missing()) {}

Result<Text> Interpreter::run(Value variables) {
  Text out;
  out_ = &out;
  variables_ = std::move(variables);
  exported_ = Value(new Dict(heap_));
  globals_ = Value(new Dict(heap_));
  define_globals();
  frame_ = Value(new FrameObject(heap_, tmpl_.functions[0].n_slots, Value()));
  if (tmpl_.uses_self) frame().slots[tmpl_.self_index] = Value(new BlockTable(heap_));
  enter(tmpl_.scope);
  exec(tmpl_.body);
  out_ = nullptr;
  if (failed_) return error_;
  return out;
}

// --- Errors and bounds ---

Value Interpreter::fail(std::string message, ErrorCode code) {
  if (!failed_) error_ = {code, std::move(message)};
  failed_ = true;
  return Value();
}

void Interpreter::locate(uint32_t offset) {
  if (located_) return;
  located_ = true;
  if (raised_) return;
  const Position at = position_of(tmpl_.source, offset);
  error_.message = concat("line ", at.line, ", column ", at.column, ": ", error_.message);
}

Value Interpreter::fail_undefined(const Value& undefined) {
  return fail(undefined.as<Undefined>().message);
}

Value Interpreter::fail_raised(std::string message) {
  if (!failed_) raised_ = true;
  return fail(std::move(message));
}

bool Interpreter::step(uint64_t n) {
  steps_ += n;
  if (steps_ > options_.max_steps) {
    fail("the template ran too long", ErrorCode::kLimit);
  } else if (heap_.overflowed()) {
    fail("the template used too much memory", ErrorCode::kLimit);
  }
  return !failed_;
}

bool Interpreter::room(uint64_t bytes) {
  if (bytes > options_.max_memory || !heap_.has_room(static_cast<size_t>(bytes))) {
    fail("the template used too much memory", ErrorCode::kLimit);
  }
  return !failed_;
}

// --- Making values ---

Value Interpreter::string(Text text, bool markup) {
  if (!step(1 + text.size() / 32) || !room(text.size())) return Value();
  return Value(new String(heap_, std::move(text), markup));
}

Value Interpreter::sequence(Kind kind, std::vector<Value> items) {
  if (!step(1 + items.size() / 8) || !room(items.size() * sizeof(Value))) return Value();
  return Value(new Sequence(heap_, kind, std::move(items)));
}

Value Interpreter::integer(BigInt value) {
  if (value.fits_int64()) return Value(value.to_int64());
  if (value.bits() > BigInt::kMaxBits) return fail("an integer grew too large", ErrorCode::kLimit);
  step(value.bits() / 16);  // printing it takes longer than making it
  return Value(new BigNumber(heap_, std::move(value)));
}

Value Interpreter::undefined_name(std::string_view name) {
  return undefined_hint(concat("'", name, "' is undefined"));
}

Value Interpreter::undefined_hint(std::string message, bool sandbox) {
  step(message.size() / 32);
  return Value(new Undefined(heap_, std::move(message), sandbox));
}

Value Interpreter::undefined_attribute(const Value& object, const Value& name) {
  std::string type = object.is_none() ? "None" : concat(type_name(object), " object");
  if (name.is_string()) {
    return undefined_hint(concat("'", type, "' has no attribute '", name.as<String>().bytes(), "'"));
  }
  Text key;
  print_repr(key, name);
  return undefined_hint(concat(type, " has no element ", key.bytes()));
}

uint64_t Interpreter::next_random() {  // xorshift64 (Marsaglia 2003); the same in every run
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

// --- Variables ---

Value& Interpreter::place(Slot slot) {
  FrameObject* at = &frame();
  for (uint32_t i = 0; i < slot.hops; ++i) at = &at->parent.as<FrameObject>();
  return at->slots[slot.index];
}

// A variable of the context: exported by the template, given, or global. Missing when there is none.
Value Interpreter::resolve(std::string_view name) {
  step(name.size() / 32);
  for (const Value* dict : {&exported_, &variables_, &globals_}) {
    if (const Value* found = dict->as<Dict>().find(name)) return *found;
  }
  return Value::missing();
}

void Interpreter::enter(const Scope& scope) {
  step(scope.loads.size() / 4);
  for (const Load& load : scope.loads) {
    Value value = Value::missing();
    if (load.action == LoadAction::kResolve) value = resolve(load.name);
    if (load.action == LoadAction::kAlias) value = place(load.alias);
    frame().slots[load.index] = std::move(value);
  }
}

void Interpreter::leave(const Scope& scope) {
  step(scope.all.size() / 8);
  for (const uint32_t index : scope.all) frame().slots[index] = Value::missing();
}

void Interpreter::assign(const Expr* target, const Value& value, bool toplevel) {
  if (failed_) return;
  if (target->kind == ExprKind::kName) {
    if (target->slot.index != Slot::kByName) place(target->slot) = value;
    if (toplevel) exported_.as<Dict>().set(string(target->name), value);
    return;
  }
  if (target->kind == ExprKind::kNamespaceSet) {
    const Value object = target->slot.index == Slot::kByName ? resolve(target->name) : place(target->slot);
    if (!object.is(Kind::kNamespace)) {
      fail("cannot assign attribute on non-namespace object");
      return;
    }
    object.as<Namespace>().attributes.as<Dict>().set(string(target->attribute), value);
    return;
  }
  std::vector<Value> items;
  if (!collect(value, items)) return;
  if (items.size() != target->items.size()) {
    fail_value(items.size() > target->items.size() ? "too many values to unpack" : "not enough values to unpack");
    return;
  }
  for (size_t i = 0; i < items.size(); ++i) assign(target->items[i], items[i], toplevel);
}

// --- Output ---

void Interpreter::emit(const Text& text) {
  if (!step(1 + text.size() / 32)) return;
  if (text.size() > options_.max_output || out_->size() > options_.max_output - text.size()) {
    fail("the template wrote too much", ErrorCode::kLimit);
    return;
  }
  out_->append(text);
}

void Interpreter::output(const Value& value) {
  if (failed_) return;
  if (autoescape_) {
    emit(escape_html(*this, value));
  } else if (value.is_string()) {
    emit(value.as<String>().text);
  } else {
    emit(text_of(value));
  }
}

Value Interpreter::captured(Text text) {
  return string(std::move(text), autoescape_);
}

// --- Statements ---

Interpreter::Flow Interpreter::exec(const Body& body) {
  for (const Stmt* stmt : body) {
    const Flow flow = exec(*stmt);
    if (failed_) return Flow::kNext;
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::exec(const Stmt& stmt) {
  const Depth depth(*this);
  if (!step()) return Flow::kNext;
  Flow flow = Flow::kNext;
  switch (stmt.kind) {
    case StmtKind::kData: emit(Text(stmt.text, true)); break;
    case StmtKind::kOutput:
      for (const Expr* item : stmt.items) output(eval(item));
      break;
    case StmtKind::kFor: exec_for(stmt); break;
    case StmtKind::kIf: flow = exec_if(stmt); break;
    case StmtKind::kSet: exec_set(stmt); break;
    case StmtKind::kSetBlock: exec_set_block(stmt); break;
    case StmtKind::kMacro: {
      const Value macro(new Macro(heap_, stmt, frame_));
      if (stmt.toplevel) exported_.as<Dict>().set(string(stmt.text), macro);
      if (stmt.self.index != Slot::kByName) place(stmt.self) = macro;
      break;
    }
    case StmtKind::kCallBlock: exec_call_block(stmt); break;
    case StmtKind::kGeneration: {
      const Value body(new Macro(heap_, stmt, frame_));
      output(call_macro(body.as<Macro>(), {}));
      break;
    }
    case StmtKind::kFilterBlock: exec_filter_block(stmt); break;
    case StmtKind::kWith: exec_with(stmt); break;
    case StmtKind::kBlock: {
      if (stmt.required) {
        fail(concat("Required block '", stmt.text, "' not found"));
      } else {
        output(run_block(stmt));
      }
      break;
    }
    case StmtKind::kAutoescape: exec_autoescape(stmt); break;
    case StmtKind::kBreak: flow = Flow::kBreak; break;
    case StmtKind::kContinue: flow = Flow::kContinue; break;
    case StmtKind::kLoader: fail_type(concat("no loader for this environment specified ('", stmt.text, "')")); break;
  }
  if (failed_) locate(stmt.offset);
  return flow;
}

Interpreter::Flow Interpreter::exec_if(const Stmt& stmt) {
  if (truthy(eval(stmt.value))) return failed_ ? Flow::kNext : exec(stmt.body);
  for (const Stmt* elif : stmt.elifs) {
    if (failed_) return Flow::kNext;
    if (truthy(eval(elif->value))) return failed_ ? Flow::kNext : exec(elif->body);
  }
  return failed_ ? Flow::kNext : exec(stmt.else_body);
}

namespace {

// The items of a loop that pass its filter, found one by one.
struct LoopTest final : Iterator {
  LoopTest(Heap& heap_, const Stmt& stmt_, Value source_, Value frame_)
      : Iterator(heap_, sizeof(LoopTest)), stmt(stmt_), source(std::move(source_)), frame(std::move(frame_)) {}
  void drop_children() override { source = frame = Value(); }
  bool next(Interpreter& in, Value& out) override {
    if (!source.is(Kind::kIterator)) source = in.iterate(source);
    if (in.failed()) return false;
    const Interpreter::Depth depth(in);
    Value item;
    while (in.next(source, item)) {
      if (in.passes_loop_test(stmt, frame, item, out)) return true;
      if (in.failed()) return false;
    }
    return false;
  }
  const Stmt& stmt;
  Value source, frame;
};

}  // namespace

bool Interpreter::passes_loop_test(const Stmt& loop, const Value& frame, const Value& item, Value& result) {
  const Value saved = frame_;
  frame_ = Value(new FrameObject(heap_, tmpl_.functions[static_cast<size_t>(loop.test_function)].n_slots, frame));
  enter(loop.test_scope);
  assign(loop.test_target, item, false);
  const bool passes = truthy(eval(loop.test));
  result = item;
  frame_ = saved;
  return passes && !failed_;
}

void Interpreter::exec_for(const Stmt& stmt) {
  const Value iterable = eval(stmt.value);
  if (failed_) return;
  if (!stmt.recursive) {
    run_loop(stmt, iterable, Value(), 0);
    return;
  }
  output(recurse_loop(stmt, frame_, 0, iterable));
}

// The body of a recursive loop is a function: it runs in a frame of its own and gives its text.
Value Interpreter::recurse_loop(const Stmt& stmt, const Value& frame, int64_t depth0, const Value& iterable) {
  const Depth depth(*this);
  if (failed_) return Value();
  const Value saved = frame_;
  const Value defined_in = frame;
  frame_ = Value(new FrameObject(heap_, tmpl_.functions[static_cast<size_t>(stmt.function)].n_slots, defined_in));
  Text text;
  Text* const saved_out = std::exchange(out_, &text);
  run_loop(stmt, iterable, defined_in, depth0);
  out_ = saved_out;
  frame_ = saved;
  return failed_ ? Value() : captured(std::move(text));
}

void Interpreter::run_loop(const Stmt& stmt, const Value& iterable, const Value& outer_frame, int64_t depth0) {
  Value source = iterable;
  if (stmt.test) source = Value(new LoopTest(heap_, stmt, iterable, frame_));
  const Value iterator = iterate(source);
  if (failed_) return;
  Value loop_value;
  Loop* loop = nullptr;
  if (stmt.extended_loop) {
    loop = new Loop(heap_, stmt, source, iterator, outer_frame, depth0);
    loop_value = Value(loop);
  }
  bool ran = false;
  Value item;
  for (;;) {
    if (loop ? !loop->advance(*this) : !next(iterator, item)) break;
    if (!step()) return;
    if (loop) frame().slots[stmt.loop_index] = loop_value;
    assign(stmt.target, loop ? loop->current : item, false);
    if (failed_) return;
    enter(stmt.scope);
    const Flow flow = exec(stmt.body);
    if (flow == Flow::kBreak || failed_) break;
    // As in Jinja, a loop whose every round was cut short by continue or break still runs its else part.
    if (flow == Flow::kNext) ran = true;
  }
  if (failed_) return;
  leave(stmt.scope);
  if (ran || stmt.else_body.empty()) return;
  enter(stmt.else_scope);
  exec(stmt.else_body);
  leave(stmt.else_scope);
}

void Interpreter::exec_set(const Stmt& stmt) {
  const Value value = eval(stmt.value);
  if (!failed_) assign(stmt.target, value, stmt.toplevel);
}

void Interpreter::exec_set_block(const Stmt& stmt) {
  Text text;
  Text* const saved = std::exchange(out_, &text);
  enter(stmt.scope);
  exec(stmt.body);
  out_ = saved;
  if (failed_) return;
  Value value = captured(std::move(text));
  if (stmt.value) value = eval_filter(stmt.value, &value);
  if (!failed_) assign(stmt.target, value, stmt.toplevel);
  leave(stmt.scope);
}

void Interpreter::exec_with(const Stmt& stmt) {
  std::vector<Value> values;
  // As in Jinja, a value sees the variables around the block, not those set before it in the same tag.
  for (const Expr* item : stmt.items) values.push_back(eval(item));
  if (failed_) return;
  enter(stmt.scope);
  for (size_t i = 0; i < values.size(); ++i) assign(stmt.targets[i], values[i], false);
  exec(stmt.body);
  if (!failed_) leave(stmt.scope);
}

void Interpreter::exec_call_block(const Stmt& stmt) {
  const Value caller(new Macro(heap_, stmt, frame_));
  output(eval_call(stmt.value, &caller));
}

void Interpreter::exec_filter_block(const Stmt& stmt) {
  Text text;
  Text* const saved = std::exchange(out_, &text);
  enter(stmt.scope);
  exec(stmt.body);
  out_ = saved;
  if (failed_) return;
  const Value body = captured(std::move(text));
  output(eval_filter(stmt.value, &body));
  if (!failed_) leave(stmt.scope);
}

void Interpreter::exec_autoescape(const Stmt& stmt) {
  const bool saved = autoescape_;
  enter(stmt.scope);
  autoescape_ = truthy(eval(stmt.value));
  if (!failed_) exec(stmt.body);
  autoescape_ = saved;
  if (!failed_) leave(stmt.scope);
}

Value Interpreter::run_block(const Stmt& block) {
  const Depth depth(*this);
  if (failed_) return Value();
  const Value saved = frame_;
  frame_ = Value(new FrameObject(heap_, tmpl_.functions[static_cast<size_t>(block.function)].n_slots, Value()));
  if (block.uses_caller) frame().slots[block.caller_index] = Value(new BlockTable(heap_));
  Text text;
  Text* const saved_out = std::exchange(out_, &text);
  enter(block.scope);
  exec(block.body);
  out_ = saved_out;
  frame_ = saved;
  return failed_ ? Value() : captured(std::move(text));
}

}  // namespace hearth::jinja
