// Filters that take a sequence whole.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/filters.h"

namespace hearth::jinja::filters {
namespace {

// Keys of all items; a path with commas gives lists of keys.
bool keys_of(Interpreter& in, const std::vector<Value>& items, const Value& attribute, bool ignore_case,
             std::vector<Value>& keys) {
  std::vector<AttributePath> paths;
  if (attribute.is_string()) {
    const String& text = attribute.as<String>();
    const std::string_view comma = ",";
    for (const Part part : split_parts(text.bytes(), &comma, -1, false)) {
      paths.push_back(attribute_path(in, in.string(text.text.slice(part.begin, part.size))));
    }
  } else {
    paths.push_back(attribute_path(in, attribute));
  }
  for (AttributePath& path : paths) path.ignore_case = ignore_case;
  for (const Value& item : items) {
    std::vector<Value> parts;
    for (const AttributePath& path : paths) {
      parts.push_back(path.get(in, item));
      if (in.failed() || !in.step()) return false;
    }
    keys.push_back(in.list(std::move(parts)));
  }
  return !in.failed();
}

Value extreme(Interpreter& in, const Value& input, const CallArgs& args, bool largest) {
  Bound bound;
  std::vector<Value> items;
  if (!in.bind(largest ? "max" : "min", args, {"case_sensitive", "attribute"}, 0, bound)) return Value();
  if (!in.collect(input, items)) return Value();
  if (items.empty()) return in.undefined_hint("No aggregated item, sequence was empty.");
  AttributePath path = attribute_path(in, bound[1]);
  path.ignore_case = !bound.has(0) || !in.truthy(bound[0]);
  Value best = items[0], best_key = path.get(in, items[0]);
  for (size_t i = 1; i < items.size() && in.step(); ++i) {
    const Value key = path.get(in, items[i]);
    const int order = largest ? in.order(key, best_key, ">") : in.order(key, best_key);
    if (in.failed()) return Value();
    if (order != (largest ? 1 : -1)) continue;
    best = items[i];
    best_key = key;
  }
  return in.failed() ? Value() : best;
}

}  // namespace

Value length(Interpreter& in, const Value& input, const CallArgs&) {
  const int64_t n = in.length(input);
  return in.failed() ? Value() : Value(n);
}

Value list(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items;
  if (!in.bind("list", args, {}, 0, bound) || !in.collect(input, items)) return Value();
  return in.list(std::move(items));
}

Value first(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("first", args, {}, 0, bound)) return Value();
  const Value iterator = in.iterate(input);
  Value item;
  if (in.failed()) return Value();
  if (in.next(iterator, item)) return item;
  return in.failed() ? Value() : in.undefined_hint("No first item, sequence was empty.");
}

Value reverse(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("reverse", args, {}, 0, bound)) return Value();
  if (input.is_string()) return in.slice(input, Value(), Value(), Value(-1));
  std::vector<Value> items;
  const bool lists = input.is(Kind::kIterator) || input.is_undefined();
  if (!in.collect(input, items)) return Value();
  std::reverse(items.begin(), items.end());
  return lists ? in.list(std::move(items)) : make_list_iterator(in, std::move(items));
}

Value last(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("last", args, {}, 0, bound)) return Value();
  if (input.is_undefined()) return in.undefined_hint("No last item, sequence was empty.");
  if (!in.is_iterable(input) || input.is(Kind::kIterator) || input.is(Kind::kLoop)) {
    return in.fail_type(concat("'", in.type_name(input), "' object is not reversible"));
  }
  if (input.is_string() || input.is(Kind::kList) || input.is(Kind::kTuple) || input.is(Kind::kRange)) {
    if (in.length(input) == 0) return in.undefined_hint("No last item, sequence was empty.");
    return in.item(input, Value(-1));
  }
  std::vector<Value> items;
  if (!in.collect(input, items)) return Value();
  return items.empty() ? in.undefined_hint("No last item, sequence was empty.") : items.back();
}

Value random(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("random", args, {}, 0, bound)) return Value();
  const int64_t n = in.length(input);
  if (in.failed()) return Value();
  if (n == 0) return in.undefined_hint("No random item, sequence was empty.");
  return in.item(input, Value(static_cast<int64_t>(in.next_random() % static_cast<uint64_t>(n))));
}

Value join(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items;
  if (!in.bind("join", args, {"d", "attribute"}, 0, bound) || !in.collect(input, items)) return Value();
  if (is_given(bound, 1)) {
    const AttributePath path = attribute_path(in, bound[1]);
    for (Value& item : items) item = path.get(in, item);
    if (in.failed()) return Value();
  }
  const Value glue = bound.has(0) ? bound[0] : in.string("");
  bool markup = false;
  for (const Value& item : items) markup = markup || (item.is_string() && item.as<String>().markup);
  markup = in.autoescape() && (markup || (glue.is_string() && glue.as<String>().markup));
  const Text glue_text = markup ? escape_html(in, glue) : in.text_of(glue);
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.append(glue_text);
    if (markup) {
      out.append(escape_html(in, items[i]));
    } else {
      in.print(out, items[i]);
    }
    if (!in.step(1 + glue_text.size() / 32) || !in.room(out.size() + glue_text.size())) return Value();
  }
  return in.string(std::move(out), markup);
}

Value sort(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items, keys;
  if (!in.bind("sort", args, {"reverse", "case_sensitive", "attribute"}, 0, bound)) return Value();
  const bool ignore_case = !bound.has(1) || !in.truthy(bound[1]);
  if (!in.collect(input, items) || !keys_of(in, items, bound[2], ignore_case, keys)) return Value();
  if (!sort_by(in, items, keys, bound.has(0) && in.truthy(bound[0]))) return Value();
  return in.list(std::move(items));
}

Value dictsort(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("dictsort", args, {"case_sensitive", "by", "reverse"}, 0, bound)) return Value();
  const std::string_view by = bound.has(1) && bound[1].is_string() ? bound[1].as<String>().bytes() : "key";
  if ((by != "key" && by != "value") || (bound.has(1) && !bound[1].is_string())) {
    return in.fail("You can only sort by either \"key\" or \"value\"");
  }
  if (input.is_undefined()) return in.fail_undefined(input);
  if (!input.is(Kind::kDict)) {
    return in.fail(concat("AttributeError: '", in.type_name(input), "' object has no attribute 'items'"));
  }
  const bool sensitive = bound.has(0) && in.truthy(bound[0]);
  std::vector<Value> items, keys;
  for (const Dict::Entry& entry : input.as<Dict>().entries) {
    items.push_back(in.tuple({entry.key, entry.value}));
    const Value& key = by == "key" ? entry.key : entry.value;
    keys.push_back(sensitive ? key : lower_key(in, key));
    if (in.failed()) return Value();
  }
  if (!sort_by(in, items, keys, bound.has(2) && in.truthy(bound[2]))) return Value();
  return in.list(std::move(items));
}

Value max(Interpreter& in, const Value& input, const CallArgs& args) {
  return extreme(in, input, args, true);
}
Value min(Interpreter& in, const Value& input, const CallArgs& args) {
  return extreme(in, input, args, false);
}

Value sum(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items;
  if (!in.bind("sum", args, {"attribute", "start"}, 0, bound) || !in.collect(input, items)) return Value();
  const AttributePath path = attribute_path(in, is_given(bound, 0) ? bound[0] : Value());
  Value total = bound.has(1) ? bound[1] : Value(0);
  if (total.is_string()) return in.fail_type("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : items) {
    const Value part = path.get(in, item);
    if (in.failed() || !in.step()) return Value();
    total = in.binary(Op::kAdd, total, part);
  }
  return in.failed() ? Value() : total;
}

Value groupby(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items, keys;
  if (!in.bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1, bound)) return Value();
  if (!in.collect(input, items)) return Value();
  AttributePath path = attribute_path(in, bound[0]);
  if (is_given(bound, 1)) path.fallback = bound[1];
  AttributePath shown = path;
  path.ignore_case = !bound.has(2) || !in.truthy(bound[2]);
  for (const Value& item : items) {
    keys.push_back(path.get(in, item));
    if (in.failed() || !in.step()) return Value();
  }
  if (!sort_by(in, items, keys, false)) return Value();
  std::vector<Value> groups;
  Value group, group_key;
  for (const Value& item : items) {
    const Value key = path.get(in, item);
    if (in.failed() || !in.step()) return Value();
    if (group.is_none() || !in.equal(key, group_key)) {
      group = in.list({});
      group_key = key;
      const Value pair = in.tuple({path.ignore_case ? shown.get(in, item) : key, group});
      if (in.failed()) return Value();
      pair.as<Sequence>().is_group = true;
      groups.push_back(pair);
    }
    group.as<Sequence>().push(item);
  }
  return in.list(std::move(groups));
}

}  // namespace hearth::jinja::filters
