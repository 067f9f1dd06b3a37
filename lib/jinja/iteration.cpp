// iter(), next() and list(): passes over lists, texts, dictionaries and ranges, and the variable `loop`.
#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

struct SequenceIterator final : Iterator {
  SequenceIterator(Heap& heap_, Value source_)
      : Iterator(heap_, sizeof(SequenceIterator)), source(std::move(source_)) {}
  void drop_children() override { source = Value(); }
  bool next(Interpreter&, Value& out) override {
    if (source.is_none()) return false;
    const std::vector<Value>& items = source.as<Sequence>().items;
    if (i >= items.size()) return false;
    out = items[i++];
    return true;
  }
  Value source;
  size_t i = 0;
};

struct StringIterator final : Iterator {
  StringIterator(Heap& heap_, Value source_) : Iterator(heap_, sizeof(StringIterator)), source(std::move(source_)) {}
  void drop_children() override { source = Value(); }
  bool next(Interpreter& in, Value& out) override {
    if (source.is_none()) return false;
    const String& text = source.as<String>();
    if (pos >= text.text.size()) return false;
    const size_t size = unicode::decode(text.bytes(), pos).size;
    out = in.string(text.text.slice(pos, size));  // characters of a Markup are plain
    pos += size;
    return !in.failed();
  }
  Value source;
  size_t pos = 0;
};

struct DictIterator final : Iterator {
  DictIterator(Heap& heap_, Value dict_, DictView::What what_)
      : Iterator(heap_, sizeof(DictIterator)), dict(std::move(dict_)), what(what_) {}
  void drop_children() override { dict = Value(); }
  bool next(Interpreter& in, Value& out) override {
    if (dict.is_none()) return false;
    const std::vector<Dict::Entry>& entries = dict.as<Dict>().entries;
    if (i >= entries.size()) return false;
    const Dict::Entry& entry = entries[i++];
    switch (what) {
      case DictView::What::kKeys: out = entry.key; break;
      case DictView::What::kValues: out = entry.value; break;
      case DictView::What::kItems: out = in.tuple({entry.key, entry.value}); break;
    }
    return !in.failed();
  }
  Value dict;
  const DictView::What what;
  size_t i = 0;
};

struct RangeIterator final : Iterator {
  RangeIterator(Heap& heap_, Value range_) : Iterator(heap_, sizeof(RangeIterator)), range(std::move(range_)) {}
  void drop_children() override { range = Value(); }
  bool next(Interpreter&, Value& out) override {
    if (range.is_none() || i >= range.as<Range>().length) return false;
    out = Value(range.as<Range>().at(i++));
    return true;
  }
  Value range;
  int64_t i = 0;
};

// What iterating over `loop` itself gives: pairs of the next item and the loop.
struct LoopIterator final : Iterator {
  LoopIterator(Heap& heap_, Value loop_) : Iterator(heap_, sizeof(LoopIterator)), loop(std::move(loop_)) {}
  void drop_children() override { loop = Value(); }
  bool next(Interpreter& in, Value& out) override {
    if (loop.is_none() || !loop.as<Loop>().advance(in)) return false;
    out = in.tuple({loop.as<Loop>().current, loop});
    return !in.failed();
  }
  Value loop;
};

struct EmptyIterator final : Iterator {
  explicit EmptyIterator(Heap& heap_) : Iterator(heap_) {}
  bool next(Interpreter&, Value&) override { return false; }
};

}  // namespace

bool Interpreter::is_iterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kDictView:
    case Kind::kRange:
    case Kind::kIterator:
    case Kind::kLoop:
    case Kind::kUndefined: return true;
    default: return false;
  }
}

Value Interpreter::iterate(const Value& value) {
  switch (value.kind()) {
    case Kind::kString: return Value(new StringIterator(heap_, value));
    case Kind::kList:
    case Kind::kTuple: return Value(new SequenceIterator(heap_, value));
    case Kind::kDict: return Value(new DictIterator(heap_, value, DictView::What::kKeys));
    case Kind::kDictView: return Value(new DictIterator(heap_, value.as<DictView>().dict, value.as<DictView>().what));
    case Kind::kRange: return Value(new RangeIterator(heap_, value));
    case Kind::kIterator: return value;
    case Kind::kLoop: return Value(new LoopIterator(heap_, value));
    case Kind::kUndefined: return Value(new EmptyIterator(heap_));
    default: return fail_type(concat("'", type_name(value), "' object is not iterable"));
  }
}

bool Interpreter::collect(const Value& iterable, std::vector<Value>& out) {
  if (failed_) return false;
  if (iterable.is(Kind::kList) || iterable.is(Kind::kTuple)) {
    const std::vector<Value>& items = iterable.as<Sequence>().items;
    if (!step(1 + items.size() / 8) || !room((out.size() + items.size()) * sizeof(Value))) return false;
    out.insert(out.end(), items.begin(), items.end());
    return true;
  }
  const Value iterator = iterate(iterable);
  if (failed_) return false;
  Value item;
  while (next(iterator, item)) {
    if ((out.size() & 1023) == 0 && !room(out.size() * 2 * sizeof(Value))) return false;
    out.push_back(item);
  }
  return !failed_;
}

Value make_list_iterator(Interpreter& in, std::vector<Value> items) {
  const Value list = in.list(std::move(items));
  return in.failed() ? Value() : in.iterate(list);
}

void Loop::drop_children() {
  iterable = iterator = frame = Value();
  current = after = before = last_changed = Value();
}

bool Loop::advance(Interpreter& in) {
  Value item;
  if (!after.is_missing()) {
    item = std::exchange(after, Value::missing());
  } else if (!in.next(iterator, item)) {
    return false;
  }
  ++index0;
  before = std::exchange(current, std::move(item));
  return true;
}

bool Loop::peek(Interpreter& in) {
  if (!after.is_missing()) return true;
  Value item;
  if (!in.next(iterator, item)) return false;
  after = std::move(item);
  return true;
}

int64_t Loop::length(Interpreter& in) {
  if (known_length >= 0) return known_length;
  known_length = in.length(iterable, true);
  if (known_length >= 0 || in.failed()) return known_length;
  std::vector<Value> rest;
  if (!in.collect(iterator, rest)) return 0;
  known_length = static_cast<int64_t>(rest.size()) + index0 + 1 + (after.is_missing() ? 0 : 1);
  iterator = make_list_iterator(in, std::move(rest));
  return known_length;
}

}  // namespace hearth::jinja
