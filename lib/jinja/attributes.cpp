// object.name, object[key] and slices, as Jinja's sandbox resolves them.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

Value loop_attribute(Interpreter& in, Loop& loop, std::string_view name, bool& found) {
  found = true;
  if (name == "index") return Value(loop.index0 + 1);
  if (name == "index0") return Value(loop.index0);
  if (name == "first") return Value(loop.index0 == 0);
  if (name == "last") return Value(!loop.peek(in));
  if (name == "length") return Value(loop.length(in));
  if (name == "revindex") return Value(loop.length(in) - loop.index0);
  if (name == "revindex0") return Value(loop.length(in) - loop.index0 - 1);
  if (name == "depth") return Value(loop.depth0 + 1);
  if (name == "depth0") return Value(loop.depth0);
  if (name == "previtem") {
    return loop.index0 == 0 ? in.undefined_hint("there is no previous item") : loop.before;
  }
  if (name == "nextitem") return loop.peek(in) ? loop.after : in.undefined_hint("there is no next item");
  found = false;
  return Value();
}

Value macro_attribute(Interpreter& in, const Macro& macro, std::string_view name, bool& found) {
  found = true;
  if (name == "name") return macro.is_anonymous() ? Value() : in.string(macro.stmt.text);
  if (name == "arguments") {
    std::vector<Value> names;
    for (const Expr* parameter : macro.stmt.parameters) names.push_back(in.string(parameter->name));
    return in.tuple(std::move(names));
  }
  if (name == "catch_kwargs") return Value(macro.stmt.uses_kwargs);
  if (name == "catch_varargs") return Value(macro.stmt.uses_varargs);
  if (name == "caller") return Value(macro.stmt.uses_caller);
  found = false;
  return Value();
}

// Attributes of numbers, tuples of groupby, ranges, cyclers and joiners; `found` false when there is none of the name.
Value data_attribute(Interpreter& in, const Value& object, std::string_view name, bool& found) {
  switch (object.kind()) {
    case Kind::kCycler: {
      const Cycler& cycler = object.as<Cycler>();
      if (name == "current") return cycler.items[cycler.position];
      if (name == "pos") return Value(cycler.position);
      if (name == "items") return in.tuple(cycler.items);
      break;
    }
    case Kind::kJoiner:
      if (name == "sep") return object.as<Joiner>().separator;
      if (name == "used") return Value(object.as<Joiner>().used);
      break;
    case Kind::kRange: {
      const Range& range = object.as<Range>();
      if (name == "start") return Value(range.start);
      if (name == "stop") return Value(range.stop);
      if (name == "step") return Value(range.step);
      break;
    }
    case Kind::kTuple:
      if (object.as<Sequence>().is_group && name == "grouper") return object.as<Sequence>().items[0];
      if (object.as<Sequence>().is_group && name == "list") return object.as<Sequence>().items[1];
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt:
      if (name == "real" || name == "numerator") return object.is(Kind::kBool) ? Value(object.as_int()) : object;
      if (name == "imag") return Value(0);
      if (name == "denominator") return Value(1);
      break;
    case Kind::kFloat:
      if (name == "real") return object;
      if (name == "imag") return Value(0.0);
      break;
    default: break;
  }
  found = false;
  return Value();
}

// What Python's getattr() finds; `found` false for AttributeError.
Value python_attribute(Interpreter& in, const Value& object, const Value& name_value, bool& found) {
  const std::string_view name = name_value.as<String>().bytes();
  found = true;
  if (object.is_undefined()) return in.fail_undefined(object);
  if (name.starts_with("_")) {
    found = false;
    return Value();
  }
  if (object.is(Kind::kNamespace)) {
    if (const Value* value = object.as<Namespace>().attributes.as<Dict>().find(name)) return *value;
    found = false;
    return Value();
  }
  if (object.is(Kind::kMacro)) return macro_attribute(in, object.as<Macro>(), name, found);
  Value value = object.is(Kind::kLoop) ? loop_attribute(in, object.as<Loop>(), name, found)
                                       : data_attribute(in, object, name, found);
  if (found) return value;
  bool refused = false;
  const MethodEntry* method = find_method(in, object, name, refused);
  if (refused) {
    found = true;
    return in.undefined_hint(
        concat("access to attribute '", name, "' of '", in.type_name(object), "' object is unsafe."), true);
  }
  found = method != nullptr;
  return method ? Value(new Method(in.heap(), object, *method)) : Value();
}

// What object[key] finds without Jinja's fallback; `found` false for TypeError and LookupError.
Value python_item(Interpreter& in, const Value& object, const Value& key, bool& found) {
  found = false;
  switch (object.kind()) {
    case Kind::kUndefined: return in.fail_undefined(object);
    case Kind::kDict: {
      if (!is_hashable(key) || !in.step(Interpreter::key_cost(key))) return Value();
      const Value* value = object.as<Dict>().find(key);
      found = value != nullptr;
      return found ? *value : Value();
    }
    case Kind::kBlockTable:
      if (!in.step(in.tmpl().blocks.size() / 8)) return Value();
      for (const Stmt* block : in.tmpl().blocks) {
        if (!key.is_string() || block->text != key.as<String>().bytes()) continue;
        found = true;
        static constexpr MethodEntry kRender = {"block", [](Interpreter& inner, const Value& name, const CallArgs&) {
                                                  for (const Stmt* other : inner.tmpl().blocks) {
                                                    if (other->text == name.as<String>().bytes()) {
                                                      return inner.run_block(*other);
                                                    }
                                                  }
                                                  return Value();
                                                }};
        return Value(new Method(in.heap(), key, kRender));
      }
      return Value();
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange: break;
    default: return Value();
  }
  if (!key.is_small_int()) return Value();
  const int64_t n = in.length(object);
  int64_t i = key.as_int();
  if (i < 0) i += n;
  if (i < 0 || i >= n) return Value();
  found = true;
  if (object.is(Kind::kRange)) return Value(object.as<Range>().at(i));
  if (!object.is_string()) return object.as<Sequence>().items[static_cast<size_t>(i)];
  const String& text = object.as<String>();
  size_t begin = static_cast<size_t>(i);
  if (!text.is_ascii()) {
    if (!in.step(1 + text.text.size() / 32)) return Value();
    begin = unicode::offset_of(text.bytes(), begin);
  }
  return in.string(text.text.slice(begin, unicode::decode(text.bytes(), begin).size), text.markup);
}

}  // namespace

int64_t Interpreter::length(const Value& value, bool quiet) {
  switch (value.kind()) {
    case Kind::kString:
      if (!step(1 + value.as<String>().text.size() / 256)) return -1;
      return static_cast<int64_t>(value.as<String>().length());
    case Kind::kList:
    case Kind::kTuple: return static_cast<int64_t>(value.as<Sequence>().items.size());
    case Kind::kDict: return static_cast<int64_t>(value.as<Dict>().size());
    case Kind::kDictView: {
      const Dict* dict = value.as<DictView>().get();
      return dict ? static_cast<int64_t>(dict->size()) : 0;
    }
    case Kind::kRange: return value.as<Range>().length;
    case Kind::kLoop: return value.as<Loop>().length(*this);
    case Kind::kUndefined: return 0;
    default:
      if (!quiet) fail_type(concat("object of type '", type_name(value), "' has no len()"));
      return -1;
  }
}

Value Interpreter::attribute(const Value& object, const Value& name) {
  if (failed_) return Value();
  bool found = false;
  Value value = python_attribute(*this, object, name, found);
  if (failed_ || found) return value;
  value = python_item(*this, object, name, found);
  if (failed_ || found) return value;
  return undefined_attribute(object, name);
}

Value Interpreter::item(const Value& object, const Value& key) {
  bool found = false;
  Value value = python_item(*this, object, key, found);
  if (failed_ || found) return value;
  if (key.is_string()) {
    value = python_attribute(*this, object, key, found);
    if (failed_ || found) return value;
  }
  return undefined_attribute(object, key);
}

Value Interpreter::slice(const Value& object, const Value& start_value, const Value& stop_value,
                         const Value& step_value) {
  if (object.is_undefined()) return fail_undefined(object);
  const bool is_text = object.is_string();
  if (!is_text && !object.is(Kind::kList) && !object.is(Kind::kTuple) && !object.is(Kind::kRange)) {
    return fail_type(concat("'", type_name(object), "' object is not subscriptable"));
  }
  for (const Value* part : {&start_value, &stop_value, &step_value}) {
    if (!part->is_none() && !part->is_integral()) {
      return fail_type("slice indices must be integers or None or have an __index__ method");
    }
  }
  const int64_t n = length(object);
  const int64_t stride = step_value.is_none() ? 1 : std::max<int64_t>(to_index(step_value), -INT64_MAX);
  if (stride == 0) return fail_value("slice step cannot be zero");
  // PySlice_AdjustIndices of CPython.
  const int64_t low = stride < 0 ? -1 : 0, high = stride < 0 ? n - 1 : n;
  const auto adjust = [&](const Value& value, int64_t fallback) {
    if (value.is_none()) return fallback;
    int64_t i = to_index(value);
    if (i < 0) i = i < -n ? low : std::max(i + n, low);
    return std::min(i, high);
  };
  const int64_t start = adjust(start_value, stride < 0 ? high : low);
  const int64_t stop = adjust(stop_value, stride < 0 ? low : high);
  int64_t count = 0;
  if (stride > 0 && start < stop) count = (stop - start - 1) / stride + 1;
  if (stride < 0 && stop < start) count = (start - stop - 1) / -stride + 1;

  if (object.is(Kind::kRange)) {
    const Range& range = object.as<Range>();
    const auto wide = [](int64_t value) { return static_cast<uint64_t>(value); };
    const int64_t new_step = static_cast<int64_t>(wide(range.step) * wide(stride));
    const int64_t new_start = range.at(start);
    return Value(new Range(heap_, new_start, range.at(stop), new_step, count));
  }
  if (!step(1 + static_cast<uint64_t>(is_text ? n : count) / 32)) return Value();
  if (!is_text) {
    const std::vector<Value>& items = object.as<Sequence>().items;
    std::vector<Value> out;
    if (!room(static_cast<uint64_t>(count) * sizeof(Value))) return Value();
    for (int64_t i = 0; i < count; ++i) out.push_back(items[static_cast<size_t>(start + i * stride)]);
    return sequence(object.kind(), std::move(out));
  }
  const String& text = object.as<String>();
  const std::string_view bytes = text.bytes();
  if (count == 0) return string(Text(), text.markup);
  if (stride == 1) {
    size_t begin = static_cast<size_t>(start), size = static_cast<size_t>(count);
    if (!text.is_ascii()) {
      begin = unicode::offset_of(bytes, begin);
      size = unicode::offset_of(bytes.substr(begin), size);
    }
    return string(text.text.slice(begin, size), text.markup);
  }
  std::vector<uint32_t> offsets;
  if (!room(static_cast<uint64_t>(n) * sizeof(uint32_t)) || !step(static_cast<uint64_t>(n) / 4)) return Value();
  for (size_t pos = 0; pos < bytes.size(); pos += unicode::decode(bytes, pos).size) {
    offsets.push_back(static_cast<uint32_t>(pos));
  }
  Text out;
  for (int64_t i = 0; i < count; ++i) {
    const size_t begin = offsets[static_cast<size_t>(start + i * stride)];
    out.append(text.text, begin, unicode::decode(bytes, begin).size);
  }
  return string(std::move(out), text.markup);
}

}  // namespace hearth::jinja
