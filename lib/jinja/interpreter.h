// Interpreter: runs a Template once, over given variables, within bounds of steps, memory, depth and output.
//
// Errors do not unwind: the first one is kept, every operation gives None from then on, and callers look at
// failed() before they use a result.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/result.h"
#include "lib/base/stack.h"
#include "lib/jinja/ast.h"
#include "lib/jinja/value.h"

namespace hearth::jinja {

struct RunOptions {
  int64_t now = 0;          ///< seconds since 1970, what strftime_now shows
  bool extensions = false;  ///< lists may be changed in place and there is a from_json filter, beyond Jinja's sandbox
  uint64_t max_steps = 6'000'000;
  size_t max_memory = size_t{256} << 20;
  size_t max_output = size_t{64} << 20;
};

/// What a call was given. Names are unique.
struct CallArgs {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Interpreter;

struct NativeFunction : Object {
  using Run = Value (*)(Interpreter&, const CallArgs&);
  NativeFunction(Heap& heap_, const char* name_, Run run_)
      : Object(heap_, Kind::kFunction, sizeof(NativeFunction)), name(name_), run(run_) {}
  const char* const name;
  const Run run;
};

using MethodRun = Value (*)(Interpreter&, const Value& self, const CallArgs&);
struct MethodEntry {
  std::string_view name;
  MethodRun run;
};

/// A method with the object it was taken from.
struct Method : Object {
  Method(Heap& heap_, Value self_, const MethodEntry& entry_)
      : Object(heap_, Kind::kMethod, sizeof(Method)), self(std::move(self_)), entry(entry_) {}
  void drop_children() override { self = Value(); }
  Value self;
  const MethodEntry& entry;
};

/// Variables of a running function.
struct FrameObject : Object {
  FrameObject(Heap& heap_, uint32_t n_slots, Value parent_)
      : Object(heap_, Kind::kFrame, sizeof(FrameObject) + n_slots * sizeof(Value)),
        slots(n_slots, Value::missing()),
        parent(std::move(parent_)) {}
  void drop_children() override {
    std::vector<Value>().swap(slots);
    parent = Value();
  }
  std::vector<Value> slots;
  Value parent;  // the frame of the function around this one
};

/// A macro, or the body of a call block.
struct Macro : Object {
  Macro(Heap& heap_, const Stmt& stmt_, Value frame_)
      : Object(heap_, Kind::kMacro, sizeof(Macro)), stmt(stmt_), frame(std::move(frame_)) {}
  void drop_children() override { frame = Value(); }
  bool is_anonymous() const { return stmt.kind != StmtKind::kMacro; }
  const Stmt& stmt;
  Value frame;
};

/// One pass over something; what Python calls an iterator or generator.
struct Iterator : Object {
  explicit Iterator(Heap& heap_, size_t bytes = sizeof(Iterator)) : Object(heap_, Kind::kIterator, bytes) {}
  /// False at the end, and when the interpreter failed.
  virtual bool next(Interpreter& in, Value& out) = 0;
};

/// The variable `loop`.
struct Loop : Object {
  Loop(Heap& heap_, const Stmt& stmt_, Value iterable_, Value iterator_, Value frame_, int64_t depth0_)
      : Object(heap_, Kind::kLoop, sizeof(Loop)),
        stmt(stmt_),
        iterable(std::move(iterable_)),
        iterator(std::move(iterator_)),
        frame(std::move(frame_)),
        depth0(depth0_) {}
  void drop_children() override;
  bool advance(Interpreter& in);  ///< to the next item, which `current` then holds
  bool peek(Interpreter& in);     ///< puts the item after the current one into `after`
  int64_t length(Interpreter& in);

  const Stmt& stmt;
  Value iterable, iterator;
  Value frame;  // for recursion: the frame that the loop's function was made in
  const int64_t depth0;
  int64_t index0 = -1;
  int64_t known_length = -1;
  Value current = Value::missing(), after = Value::missing(), before = Value::missing();
  Value last_changed = Value::missing();
};

struct Cycler : Object {
  Cycler(Heap& heap_, std::vector<Value> items_)
      : Object(heap_, Kind::kCycler, sizeof(Cycler)), items(std::move(items_)) {}
  void drop_children() override { items.clear(); }
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner : Object {
  Joiner(Heap& heap_, Value separator_)
      : Object(heap_, Kind::kJoiner, sizeof(Joiner)), separator(std::move(separator_)) {}
  void drop_children() override { separator = Value(); }
  Value separator;
  bool used = false;
};

/// `self`: the blocks of the template.
struct BlockTable : Object {
  explicit BlockTable(Heap& heap_) : Object(heap_, Kind::kBlockTable, sizeof(BlockTable)) {}
};

/// Arguments sorted into the parameters of a built-in. Places that got none hold `missing`.
struct Bound {
  static constexpr size_t kMax = 7;
  Value values[kMax];
  const Value& operator[](size_t i) const { return values[i]; }
  bool has(size_t i) const { return !values[i].is_missing(); }
};

class Interpreter {
 public:
  Interpreter(const Template& tmpl, const RunOptions& options);

  Heap& heap() { return heap_; }
  const RunOptions& options() const { return options_; }
  /// Runs the template over `variables`, a Dict. Once only.
  Result<Text> run(Value variables);

  // --- Errors and bounds ---
  bool failed() const { return failed_; }
  /// Whether a list, a dictionary or none became text as Python writes it, which prompts hardly ever want.
  bool printed_python() const { return printed_python_; }
  Value fail(std::string message, ErrorCode code = ErrorCode::kFormat);
  Value fail_type(std::string message) { return fail("TypeError: " + std::move(message)); }
  Value fail_value(std::string message) { return fail("ValueError: " + std::move(message)); }
  Value fail_undefined(const Value& undefined);
  /// The template's own words: reported without a position.
  Value fail_raised(std::string message);
  /// Counts work; false once the budget is gone.
  bool step(uint64_t n = 1);
  /// False, and failed, when a text or list of that many bytes would not fit.
  bool room(uint64_t bytes);
  /// Counts recursion while it lives; an error beyond kMaxDepth, or near the end of the stack.
  class Depth {
   public:
    explicit Depth(Interpreter& in) : in_(in) {
      if (++in_.depth_ > kMaxDepth || !in_.has_stack()) {
        in_.fail("maximum recursion depth exceeded", ErrorCode::kLimit);
      }
    }
    ~Depth() { --in_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Interpreter& in_;
  };
  static constexpr int kMaxDepth = 1500;
  /// Whether the stack may grow further.
  bool has_stack() const { return is_above(floor_); }

  // --- Making values ---
  Value string(Text text, bool markup = false);
  Value string(std::string_view bytes, bool trusted = true) { return string(Text(bytes, trusted)); }
  Value list(std::vector<Value> items) { return sequence(Kind::kList, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(Kind::kTuple, std::move(items)); }
  Value sequence(Kind kind, std::vector<Value> items);
  Value integer(BigInt value);  ///< small when it fits
  Value undefined_name(std::string_view name);
  Value undefined_attribute(const Value& object, const Value& name);
  Value undefined_hint(std::string message, bool sandbox = false);

  // --- Python's protocols (operators.cpp, attributes.cpp, print.cpp, iteration.cpp) ---
  bool truthy(const Value& value);
  bool equal(const Value& a, const Value& b);
  /// -1, 0, 1; 2 for "neither" (NaN). Fails for types without an order.
  int order(const Value& a, const Value& b, std::string_view op = "<");
  Value compare(Op op, const Value& a, const Value& b);
  bool contains(const Value& container, const Value& item);
  Value binary(Op op, const Value& a, const Value& b);
  Value negate(const Value& value, bool minus);
  /// len(); -1 and failed when the type has none. With `quiet`, only -1.
  int64_t length(const Value& value, bool quiet = false);
  Value attribute(const Value& object, const Value& name);  ///< object.name
  Value item(const Value& object, const Value& key);        ///< object[key]
  Value slice(const Value& object, const Value& start, const Value& stop, const Value& step);
  /// str() and repr(), appended.
  void print(Text& out, const Value& value);
  void print_repr(Text& out, const Value& value, bool ascii = false);
  Text text_of(const Value& value);
  Value iterate(const Value& value);  ///< iter(); None and failed when it is not iterable
  bool is_iterable(const Value& value);
  bool next(const Value& iterator, Value& out) {
    return !failed_ && step() && static_cast<Iterator*>(iterator.object())->next(*this, out) && !failed_;
  }
  bool collect(const Value& iterable, std::vector<Value>& out);  ///< list()
  Value call(const Value& callable, const CallArgs& args);
  bool is_callable(const Value& value);
  Value filter(uint32_t index, const Value& input, const CallArgs& args);
  bool test(uint32_t index, const Value& input, const CallArgs& args);
  Value call_filter(std::string_view name, const Value& input, const CallArgs& args);
  bool call_test(std::string_view name, const Value& input, const CallArgs& args);

  /// Sorts arguments into parameters; false and failed when they do not fit.
  bool bind(const char* function, const CallArgs& args, std::initializer_list<const char*> names, size_t required,
            Bound& out);
  /// An index or size argument: int or bool; large ones are clamped. Fails for other types.
  int64_t to_index(const Value& value, const char* what = "integer");
  /// Steps that looking a key up costs beyond one: comparing what is long.
  static uint64_t key_cost(const Value& key) { return key.is_string() ? key.as<String>().text.size() / 128 : 0; }
  static const char* type_name(const Value& value);

  // --- Used by built-in objects ---
  /// Runs a recursive loop; `frame` is the one that its function was made in.
  Value recurse_loop(const Stmt& stmt, const Value& frame, int64_t depth0, const Value& iterable);
  Value run_block(const Stmt& block);
  const Template& tmpl() const { return tmpl_; }
  /// Evaluates the filter of a for loop for one item.
  bool passes_loop_test(const Stmt& loop, const Value& frame, const Value& item, Value& result);
  bool autoescape() const { return autoescape_; }
  uint64_t next_random();

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  Value eval(const Expr* expr);
  Value eval_inner(const Expr* expr);
  Value eval_name(const Expr* expr);
  Value eval_constant(const Expr* expr);
  Value eval_compare(const Expr* expr);
  Value eval_call(const Expr* expr, const Value* caller);
  Value eval_filter(const Expr* expr, const Value* body);
  Value eval_concat(const Expr* expr);
  Value eval_dict(const Expr* expr);
  Value eval_item(const Expr* expr);
  bool eval_arguments(const Arguments& arguments, CallArgs& out);
  bool spread(const Arguments& arguments, CallArgs& out);

  Flow exec(const Body& body);
  Flow exec(const Stmt& stmt);
  Flow exec_if(const Stmt& stmt);
  void exec_for(const Stmt& stmt);
  void run_loop(const Stmt& stmt, const Value& iterable, const Value& outer_frame, int64_t depth0);
  void exec_set(const Stmt& stmt);
  void exec_set_block(const Stmt& stmt);
  void exec_with(const Stmt& stmt);
  void exec_call_block(const Stmt& stmt);
  void exec_filter_block(const Stmt& stmt);
  void exec_autoescape(const Stmt& stmt);
  void output(const Value& value);
  void emit(const Text& text);
  Value captured(Text text);  ///< a buffer as a value; escaped already where autoescape is on

  Value call_macro(const Macro& macro, const CallArgs& args);
  /// Puts the arguments of a call into the slots of its frame; false, and failed, when they do not fit.
  bool bind_macro(const Macro& macro, const CallArgs& args, std::vector<Value>& slots);
  void assign(const Expr* target, const Value& value, bool toplevel);
  void enter(const Scope& scope);
  void leave(const Scope& scope);
  FrameObject& frame() { return frame_.as<FrameObject>(); }
  Value& place(Slot slot);
  Value resolve(std::string_view name);
  void define_globals();
  void locate(uint32_t offset);  ///< adds the place to a fresh error

  Heap heap_;  // first: it outlives every value below
  const Template& tmpl_;
  const RunOptions options_;
  const uintptr_t floor_ = stack_floor();
  uint64_t steps_ = 0;
  int depth_ = 0;
  bool printed_python_ = false;
  bool failed_ = false;
  bool located_ = false;
  bool raised_ = false;
  bool autoescape_ = false;
  uint64_t random_ = 0x853C49E6748FEA9Bu;
  Error error_;
  Value variables_, exported_, globals_;
  Value frame_;
  Text* out_ = nullptr;
  std::vector<Value> constants_;  // made on first use
};

/// Escapes for HTML; text that is already markup stays.
Text escape_html(Interpreter& in, const Value& value);
/// `format % arguments`.
Value format_percent(Interpreter& in, const Value& format, const Value& arguments);
/// str.format(); with `mapping`, str.format_map().
Value format_braces(Interpreter& in, const Value& format, const CallArgs& args);

/// Methods by the type of their object; nullptr when there is none of that name.
const MethodEntry* find_method(Interpreter& in, const Value& object, std::string_view name, bool& refused);
const MethodEntry* find_string_method(std::string_view name);

/// Iterators of filters and views (iteration.cpp).
Value make_list_iterator(Interpreter& in, std::vector<Value> items);

std::string format_time(std::string_view format, int64_t seconds);

}  // namespace hearth::jinja
