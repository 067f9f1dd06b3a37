// Methods of list, tuple, dict, range, numbers, loop and cycler.
#include <algorithm>
#include <cmath>
#include <span>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"

namespace hearth::jinja {
namespace {

std::vector<Value>& items_of(const Value& self) {
  return self.as<Sequence>().items;
}
Dict& dict_of(const Value& self) {
  return self.as<Dict>();
}

// --- list, tuple and range ---

Value sequence_index(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("index", args, {"value", "start", "stop"}, 1, bound)) return Value();
  const int64_t n = in.length(self);
  const auto at = [&](size_t i, int64_t fallback) {
    if (!bound.has(i)) return fallback;
    const int64_t index = in.to_index(bound[i]);
    return index < 0 ? std::max<int64_t>(index < -n ? 0 : index + n, 0) : std::min(index, n);
  };
  const int64_t stop = at(2, n);
  for (int64_t i = at(1, 0); i < stop && in.step(); ++i) {
    const Value item = in.item(self, Value(i));
    if (item.same_as(bound[0]) || in.equal(item, bound[0])) return Value(i);
  }
  return in.fail_value("value is not in list");
}

Value sequence_count(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("count", args, {"value"}, 1, bound)) return Value();
  const int64_t n = in.length(self);
  int64_t count = 0;
  for (int64_t i = 0; i < n && in.step(); ++i) count += in.equal(in.item(self, Value(i)), bound[0]);
  return Value(count);
}

Value list_copy(Interpreter& in, const Value& self, const CallArgs&) {
  return in.list(items_of(self));
}

Value list_pop(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("pop", args, {"index"}, 0, bound)) return Value();
  std::vector<Value>& items = items_of(self);
  const int64_t n = static_cast<int64_t>(items.size());
  int64_t i = bound.has(0) ? in.to_index(bound[0]) : -1;
  if (in.failed()) return Value();
  if (i < 0) i = i < -n ? -1 : i + n;
  if (i < 0 || i >= n)
    return in.fail(n == 0 ? "IndexError: pop from empty list" : "IndexError: pop index out of range");
  Value out = items[static_cast<size_t>(i)];
  in.step(1 + static_cast<uint64_t>(n - i) / 8);
  items.erase(items.begin() + static_cast<ptrdiff_t>(i));
  return out;
}

Value list_clear(Interpreter&, const Value& self, const CallArgs&) {
  std::vector<Value> gone;
  gone.swap(items_of(self));
  return Value();
}

Value list_append(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (in.bind("append", args, {"object"}, 1, bound)) self.as<Sequence>().push(bound[0]);
  return Value();
}

Value list_extend(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  std::vector<Value> more;
  if (!in.bind("extend", args, {"iterable"}, 1, bound) || !in.collect(bound[0], more)) return Value();
  for (Value& item : more) self.as<Sequence>().push(std::move(item));
  return Value();
}

Value list_insert(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("insert", args, {"index", "object"}, 2, bound)) return Value();
  std::vector<Value>& items = items_of(self);
  const int64_t n = static_cast<int64_t>(items.size());
  int64_t i = in.to_index(bound[0]);
  i = i < 0 ? std::max<int64_t>(i < -n ? 0 : i + n, 0) : std::min(i, n);
  if (in.failed() || !in.step(1 + static_cast<uint64_t>(n - i) / 8)) return Value();
  self.as<Sequence>().heap.charge(sizeof(Value));
  items.insert(items.begin() + static_cast<ptrdiff_t>(i), bound[1]);
  return Value();
}

Value list_reverse(Interpreter& in, const Value& self, const CallArgs&) {
  if (in.step(1 + items_of(self).size() / 8)) std::reverse(items_of(self).begin(), items_of(self).end());
  return Value();
}

// --- dict ---

template <DictView::What what>
Value dict_view(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("keys", args, {}, 0, bound)) return Value();
  return Value(new DictView(in.heap(), self, what));
}

bool hashable(Interpreter& in, const Value& key) {
  if (is_hashable(key)) return true;
  in.fail_type(concat("unhashable type: '", in.type_name(key), "'"));
  return false;
}

Value dict_get(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("get", args, {"key", "default"}, 1, bound) || !hashable(in, bound[0])) return Value();
  if (!args.named.empty()) return in.fail_type("dict.get() takes no keyword arguments");
  if (const Value* value = dict_of(self).find(bound[0])) return *value;
  return bound.has(1) ? bound[1] : Value();
}

Value dict_copy(Interpreter& in, const Value& self, const CallArgs&) {
  const Value out(new Dict(in.heap()));
  for (const Dict::Entry& entry : dict_of(self).entries) {
    if (!in.step()) return Value();
    dict_of(out).set(entry.key, entry.value);
  }
  return out;
}

Value dict_pop(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("pop", args, {"key", "default"}, 1, bound) || !hashable(in, bound[0])) return Value();
  const Value* found = dict_of(self).find(bound[0]);
  if (!found) return bound.has(1) ? bound[1] : in.fail("KeyError: no such key");
  Value out = *found;
  if (in.step(1 + dict_of(self).size() / 4)) dict_of(self).erase(bound[0]);
  return out;
}

Value dict_setdefault(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("setdefault", args, {"key", "default"}, 1, bound) || !hashable(in, bound[0])) return Value();
  if (const Value* value = dict_of(self).find(bound[0])) return *value;
  Value value = bound.has(1) ? bound[1] : Value();
  dict_of(self).set(bound[0], value);
  return value;
}

Value dict_update(Interpreter& in, const Value& self, const CallArgs& args) {
  for (const Value& other : args.positional) {
    if (!other.is(Kind::kDict)) return in.fail_type("dict.update() needs a mapping");
    const std::vector<Dict::Entry> entries = dict_of(other).entries;
    for (const Dict::Entry& entry : entries) {
      if (!in.step()) return Value();
      dict_of(self).set(entry.key, entry.value);
    }
  }
  for (const auto& [name, value] : args.named) dict_of(self).set(in.string(name), value);
  return Value();
}

// --- numbers ---

Value int_bit_length(Interpreter&, const Value& self, const CallArgs&) {
  const BigInt value = self.is(Kind::kBigInt) ? self.as<BigNumber>().value : BigInt(self.as_int());
  return Value(value.bits());
}
Value number_itself(Interpreter&, const Value& self, const CallArgs&) {
  return self.is(Kind::kBool) ? Value(self.as_int()) : self;
}
Value float_is_integer(Interpreter&, const Value& self, const CallArgs&) {
  return Value(std::isfinite(self.as_float()) && std::floor(self.as_float()) == self.as_float());
}

// --- loop and cycler ---

Value loop_cycle(Interpreter& in, const Value& self, const CallArgs& args) {
  if (args.positional.empty() || !args.named.empty()) return in.fail_type("no items for cycling given");
  const int64_t n = static_cast<int64_t>(args.positional.size());
  const int64_t i = self.as<Loop>().index0 % n;
  return args.positional[static_cast<size_t>(i < 0 ? i + n : i)];
}

Value loop_changed(Interpreter& in, const Value& self, const CallArgs& args) {
  const Value now = in.tuple(args.positional);
  Loop& loop = self.as<Loop>();
  if (!loop.last_changed.is_missing() && in.equal(loop.last_changed, now)) return Value(false);
  loop.last_changed = now;
  return Value(true);
}

Value cycler_next(Interpreter&, const Value& self, const CallArgs&) {
  Cycler& cycler = self.as<Cycler>();
  if (cycler.items.empty()) return Value();
  Value out = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return out;
}

Value cycler_reset(Interpreter&, const Value& self, const CallArgs&) {
  self.as<Cycler>().position = 0;
  return Value();
}

constexpr MethodEntry kSequence[] = {{"count", sequence_count}, {"index", sequence_index}};
// pop and clear of lists are let through by Jinja 3.1.2's sandbox; what stands after them is not.
constexpr MethodEntry kList[] = {{"count", sequence_count}, {"index", sequence_index}, {"copy", list_copy},
                                 {"pop", list_pop},         {"clear", list_clear},     {"append", list_append},
                                 {"extend", list_extend},   {"insert", list_insert},   {"reverse", list_reverse}};
constexpr size_t kListSafe = 5;
constexpr MethodEntry kDict[] = {{"keys", dict_view<DictView::What::kKeys>},
                                 {"values", dict_view<DictView::What::kValues>},
                                 {"items", dict_view<DictView::What::kItems>},
                                 {"get", dict_get},
                                 {"copy", dict_copy},
                                 {"pop", dict_pop},
                                 {"setdefault", dict_setdefault},
                                 {"update", dict_update}};
constexpr size_t kDictSafe = 5;
constexpr MethodEntry kInt[] = {{"bit_length", int_bit_length}, {"conjugate", number_itself}};
constexpr MethodEntry kFloat[] = {{"is_integer", float_is_integer}, {"conjugate", number_itself}};
constexpr MethodEntry kLoop[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};
constexpr MethodEntry kCycler[] = {{"next", cycler_next}, {"reset", cycler_reset}};

}  // namespace

const MethodEntry* find_method(Interpreter& in, const Value& object, std::string_view name, bool& refused) {
  std::span<const MethodEntry> entries;
  size_t safe = SIZE_MAX;
  switch (object.kind()) {
    case Kind::kString: return find_string_method(name);
    case Kind::kList:
      entries = kList;
      safe = kListSafe;
      refused = name == "sort" || name == "remove";
      break;
    case Kind::kDict:
      entries = kDict;
      safe = kDictSafe;
      refused = name == "clear" || name == "popitem";
      break;
    case Kind::kTuple:
    case Kind::kRange: entries = kSequence; break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kBigInt: entries = kInt; break;
    case Kind::kFloat: entries = kFloat; break;
    case Kind::kLoop: entries = kLoop; break;
    case Kind::kCycler: entries = kCycler; break;
    default: break;
  }
  if (refused) return nullptr;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].name != name) continue;
    refused = i >= safe && !in.options().extensions;
    return refused ? nullptr : &entries[i];
  }
  return nullptr;
}

}  // namespace hearth::jinja
