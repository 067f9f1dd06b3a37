// The table of filters, and how one is found and run.
#include "lib/jinja/filters.h"

#include "lib/base/concat.h"
#include "lib/jinja/parser.h"

namespace hearth::jinja {
namespace {

constexpr std::string_view kFromJson = "from_json";

constexpr FilterEntry kFilters[] = {
    {"abs", filters::absolute},
    {"attr", filters::attribute},
    {"batch", filters::batch},
    {"capitalize", filters::capitalize},
    {"center", filters::center},
    {"count", filters::length},
    {"d", filters::fallback},
    {"default", filters::fallback},
    {"dictsort", filters::dictsort},
    {"e", filters::escape},
    {"escape", filters::escape},
    {"filesizeformat", filters::filesizeformat},
    {"first", filters::first},
    {"float", filters::to_float},
    {"forceescape", filters::force_escape},
    {"format", filters::format},
    {kFromJson, filters::from_json},
    {"groupby", filters::groupby},
    {"indent", filters::indent},
    {"int", filters::to_int},
    {"items", filters::items},
    {"join", filters::join},
    {"last", filters::last},
    {"length", filters::length},
    {"list", filters::list},
    {"lower", filters::lower},
    {"map", filters::map},
    {"max", filters::max},
    {"min", filters::min},
    {"pprint", filters::pprint},
    {"random", filters::random},
    {"reject", filters::reject},
    {"rejectattr", filters::rejectattr},
    {"replace", filters::replace},
    {"reverse", filters::reverse},
    {"round", filters::round},
    {"safe", filters::safe},
    {"select", filters::select},
    {"selectattr", filters::selectattr},
    {"slice", filters::slices},
    {"sort", filters::sort},
    {"string", filters::string},
    {"striptags", filters::striptags},
    {"sum", filters::sum},
    {"title", filters::title},
    {"tojson", filters::tojson},
    {"trim", filters::trim},
    {"truncate", filters::truncate},
    {"unique", filters::unique},
    {"upper", filters::upper},
    {"urlencode", filters::urlencode},
    {"wordcount", filters::wordcount},
    {"wordwrap", filters::wordwrap},
    {"xmlattr", filters::xmlattr},
};

}  // namespace

uint32_t find_filter(std::string_view name) {
  for (uint32_t i = 0; i < std::size(kFilters); ++i) {
    if (kFilters[i].name == name) return i;
  }
  return UINT32_MAX;
}

Value Interpreter::filter(uint32_t index, const Value& input, const CallArgs& args) {
  const Depth depth(*this);
  if (!step()) return Value();
  const FilterEntry& entry = kFilters[index];
  if (entry.name == kFromJson && !options_.extensions) return fail("No filter named 'from_json' found.");
  return entry.run(*this, input, args);
}

Value Interpreter::call_filter(std::string_view name, const Value& input, const CallArgs& args) {
  const uint32_t index = find_filter(name);
  if (index == UINT32_MAX) return fail(concat("No filter named '", name, "'."));
  return filter(index, input, args);
}

Value AttributePath::get(Interpreter& in, const Value& object) const {
  Value value = object;
  for (const Value& part : parts) {
    value = in.item(value, part);
    if (in.failed()) return Value();
    if (value.is_undefined() && !fallback.is_missing()) value = fallback;
  }
  return ignore_case ? lower_key(in, value) : value;
}

AttributePath attribute_path(Interpreter& in, const Value& attribute) {
  AttributePath path;
  if (attribute.is_none() || attribute.is_missing()) return path;
  if (!attribute.is_string()) {
    path.parts.push_back(attribute);
    return path;
  }
  const String& text = attribute.as<String>();
  const std::string_view dot = ".";
  for (const Part part : split_parts(text.bytes(), &dot, -1, false)) {
    const std::string_view name = text.bytes().substr(part.begin, part.size);
    const bool digits =
        !name.empty() && name.size() < 18 && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) {
      int64_t index = 0;
      for (const char c : name) index = index * 10 + (c - '0');
      path.parts.emplace_back(index);
    } else {
      path.parts.push_back(in.string(text.text.slice(part.begin, part.size)));
    }
  }
  return path;
}

Value lower_key(Interpreter& in, const Value& value) {
  if (!value.is_string()) return value;
  const Text& text = value.as<String>().text;
  if (!in.step(1 + text.size() / 8)) return Value();
  return in.string(change_case(text, Case::kLower), value.as<String>().markup);
}

bool sort_by(Interpreter& in, std::vector<Value>& items, const std::vector<Value>& keys, bool reverse) {
  // Merge sort of indices, bottom up: a comparison that fails or contradicts itself does no harm.
  std::vector<size_t> order(items.size()), merged(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (size_t width = 1; width < order.size(); width *= 2) {
    for (size_t begin = 0; begin < order.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, order.size()), end = std::min(begin + 2 * width, order.size());
      size_t left = begin, right = middle;
      for (size_t to = begin; to < end; ++to) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const int result = reverse ? in.order(keys[order[left]], keys[order[right]])
                                     : in.order(keys[order[right]], keys[order[left]]);
          if (in.failed() || !in.step()) return false;
          take_right = result == -1;
        }
        merged[to] = order[take_right ? right++ : left++];
      }
    }
    order.swap(merged);
  }
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const size_t i : order) sorted.push_back(items[i]);
  items = std::move(sorted);
  return true;
}

}  // namespace hearth::jinja
