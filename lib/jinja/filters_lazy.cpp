// Filters whose results Python finds lazily: nothing happens, and nothing fails, before one iterates.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/filters.h"

namespace hearth::jinja::filters {
namespace {

// Common part: the source is looked at on the first step only; a falsy one gives nothing.
struct Lazy : Iterator {
  Lazy(Heap& heap_, size_t bytes, Value input_) : Iterator(heap_, bytes), input(std::move(input_)) {}
  void drop_children() override { input = source = Value(); }
  bool next(Interpreter& in, Value& out) final {
    const Interpreter::Depth depth(in);
    if (in.failed() || done) return false;
    if (!started) {
      started = true;
      if (!begin(in)) done = true;
      if (in.failed() || done) return false;
    }
    done = !produce(in, out);
    return !done && !in.failed();
  }

  Value input, source;

 protected:
  virtual bool begin(Interpreter& in) {
    source = in.iterate(input);
    return !in.failed();
  }
  virtual bool produce(Interpreter& in, Value& out) = 0;

 private:
  bool started = false, done = false;
};

struct Map final : Lazy {
  Map(Heap& heap_, Value input_, CallArgs args_)
      : Lazy(heap_, sizeof(Map), std::move(input_)), args(std::move(args_)) {}
  void drop_children() override {
    Lazy::drop_children();
    args = {};
    path = {};
  }
  bool begin(Interpreter& in) override {
    if (!in.truthy(input)) return false;
    const auto named = std::find_if(args.named.begin(), args.named.end(),
                                    [](const auto& entry) { return entry.first == "attribute"; });
    if (args.positional.empty() && named != args.named.end()) {
      path = attribute_path(in, named->second);
      by_attribute = true;
      for (const auto& [key, value] : args.named) {
        if (key == "default") {
          if (!value.is_none()) path.fallback = value;
        } else if (key != "attribute") {
          in.fail(concat("Unexpected keyword argument '", key, "'"));
        }
      }
    } else if (args.positional.empty()) {
      in.fail("map requires a filter argument");
    } else if (!args.positional[0].is_string()) {
      in.fail("No filter of that name.");
    } else {
      name = args.positional[0].as<String>().bytes();
      args.positional.erase(args.positional.begin());
    }
    return !in.failed() && Lazy::begin(in);
  }
  bool produce(Interpreter& in, Value& out) override {
    Value item;
    if (!in.next(source, item)) return false;
    out = by_attribute ? path.get(in, item) : in.call_filter(name, item, args);
    return !in.failed();
  }
  CallArgs args;
  AttributePath path;
  std::string name;
  bool by_attribute = false;
};

struct Select final : Lazy {
  Select(Heap& heap_, Value input_, CallArgs args_, bool wanted_, bool by_attribute_)
      : Lazy(heap_, sizeof(Select), std::move(input_)),
        args(std::move(args_)),
        wanted(wanted_),
        by_attribute(by_attribute_) {}
  void drop_children() override {
    Lazy::drop_children();
    args = {};
    path = {};
  }
  bool begin(Interpreter& in) override {
    if (!in.truthy(input)) return false;
    if (by_attribute) {
      if (args.positional.empty()) {
        in.fail("Missing parameter for attribute name");
        return false;
      }
      path = attribute_path(in, args.positional[0]);
      args.positional.erase(args.positional.begin());
    }
    if (!args.positional.empty()) {
      has_test = true;
      if (!args.positional[0].is_string()) {
        in.fail("No test of that name.");
        return false;
      }
      test = args.positional[0].as<String>().bytes();
      args.positional.erase(args.positional.begin());
    }
    return !in.failed() && Lazy::begin(in);
  }
  bool produce(Interpreter& in, Value& out) override {
    while (in.next(source, out)) {
      const Value value = by_attribute ? path.get(in, out) : out;
      const bool holds = has_test ? in.call_test(test, value, args) : in.truthy(value);
      if (in.failed()) return false;
      if (holds == wanted) return true;
    }
    return false;
  }
  CallArgs args;
  AttributePath path;
  std::string test;
  const bool wanted, by_attribute;
  bool has_test = false;
};

struct Unique final : Lazy {
  Unique(Heap& heap_, Value input_, AttributePath path_)
      : Lazy(heap_, sizeof(Unique), std::move(input_)), path(std::move(path_)), seen(new Dict(heap_)) {}
  void drop_children() override {
    Lazy::drop_children();
    path = {};
    seen = Value();
  }
  bool produce(Interpreter& in, Value& out) override {
    while (in.next(source, out)) {
      Value key = path.get(in, out);
      if (in.failed()) return false;
      if (!is_hashable(key)) {
        in.fail_type(concat("unhashable type: '", in.type_name(key), "'"));
        return false;
      }
      Dict& dict = seen.as<Dict>();
      if (dict.find(key)) continue;
      dict.set(std::move(key), Value());
      return true;
    }
    return false;
  }
  AttributePath path;
  Value seen;
};

struct Batch final : Lazy {
  Batch(Heap& heap_, Value input_, Value count_, Value fill_)
      : Lazy(heap_, sizeof(Batch), std::move(input_)), count(std::move(count_)), fill(std::move(fill_)) {}
  void drop_children() override {
    Lazy::drop_children();
    count = fill = Value();
  }
  bool produce(Interpreter& in, Value& out) override {
    std::vector<Value> items;
    Value item;
    const auto is_full = [&] { return in.equal(Value(items.size()), count); };
    if (has_next) items.push_back(std::exchange(pending, Value()));
    has_next = false;
    while (in.next(source, item)) {
      if (is_full()) {
        pending = item;
        has_next = true;
        out = in.list(std::move(items));
        return !in.failed();
      }
      items.push_back(item);
    }
    if (items.empty() || in.failed()) return false;
    if (!fill.is_none() && in.order(Value(items.size()), count) == -1) {
      const int64_t n = in.to_index(count);
      while (!in.failed() && static_cast<int64_t>(items.size()) < n && in.step() &&
             in.room(items.size() * sizeof(Value))) {
        items.push_back(fill);
      }
    }
    out = in.list(std::move(items));
    return !in.failed();
  }
  Value count, fill, pending;
  bool has_next = false;
};

struct Slices final : Lazy {
  Slices(Heap& heap_, Value input_, Value count_, Value fill_)
      : Lazy(heap_, sizeof(Slices), std::move(input_)), count(std::move(count_)), fill(std::move(fill_)) {}
  void drop_children() override {
    Lazy::drop_children();
    count = fill = Value();
    all.clear();
  }
  bool begin(Interpreter& in) override {
    if (!in.collect(input, all)) return false;
    n = in.to_index(count);
    if (!in.failed() && n == 0) in.fail("ZeroDivisionError: integer division or modulo by zero");
    return !in.failed() && n > 0;
  }
  bool produce(Interpreter& in, Value& out) override {
    if (at >= n) return false;
    const int64_t size = static_cast<int64_t>(all.size());
    const int64_t each = size / n, extra = size % n;
    const int64_t start = at * each + std::min(at, extra), stop = start + each + (at < extra ? 1 : 0);
    std::vector<Value> items(all.begin() + static_cast<ptrdiff_t>(start), all.begin() + static_cast<ptrdiff_t>(stop));
    if (!fill.is_none() && at >= extra) items.push_back(fill);
    ++at;
    out = in.list(std::move(items));
    return !in.failed();
  }
  Value count, fill;
  std::vector<Value> all;
  int64_t n = 0, at = 0;
};

struct Items final : Lazy {
  Items(Heap& heap_, Value input_) : Lazy(heap_, sizeof(Items), std::move(input_)) {}
  bool begin(Interpreter& in) override {
    if (input.is_undefined()) return false;
    if (!input.is(Kind::kDict)) {
      in.fail_type("Can only get item pairs from a mapping.");
      return false;
    }
    source = in.iterate(Value(new DictView(in.heap(), input, DictView::What::kItems)));
    return !in.failed();
  }
  bool produce(Interpreter& in, Value& out) override { return in.next(source, out); }
};

}  // namespace

Value map(Interpreter& in, const Value& input, const CallArgs& args) {
  return Value(new Map(in.heap(), input, args));
}
Value select(Interpreter& in, const Value& input, const CallArgs& args) {
  return Value(new Select(in.heap(), input, args, true, false));
}
Value reject(Interpreter& in, const Value& input, const CallArgs& args) {
  return Value(new Select(in.heap(), input, args, false, false));
}
Value selectattr(Interpreter& in, const Value& input, const CallArgs& args) {
  return Value(new Select(in.heap(), input, args, true, true));
}
Value rejectattr(Interpreter& in, const Value& input, const CallArgs& args) {
  return Value(new Select(in.heap(), input, args, false, true));
}

Value unique(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("unique", args, {"case_sensitive", "attribute"}, 0, bound)) return Value();
  AttributePath path = attribute_path(in, bound[1]);
  path.ignore_case = !bound.has(0) || !in.truthy(bound[0]);
  return Value(new Unique(in.heap(), input, std::move(path)));
}

Value batch(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("batch", args, {"linecount", "fill_with"}, 1, bound)) return Value();
  return Value(new Batch(in.heap(), input, bound[0], bound.has(1) ? bound[1] : Value()));
}

Value slices(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("slice", args, {"slices", "fill_with"}, 1, bound)) return Value();
  return Value(new Slices(in.heap(), input, bound[0], bound.has(1) ? bound[1] : Value()));
}

Value items(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("items", args, {}, 0, bound)) return Value();
  return Value(new Items(in.heap(), input));
}

}  // namespace hearth::jinja::filters
