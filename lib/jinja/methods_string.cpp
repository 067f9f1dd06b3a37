// Methods of str.
#include <algorithm>

#include "lib/base/concat.h"
#include "lib/jinja/interpreter.h"
#include "lib/jinja/string_ops.h"
#include "lib/jinja/text_search.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja {
namespace {

const String& self_of(const Value& self) {
  return self.as<String>();
}

Value like(Interpreter& in, const Value& self, Text text) {
  return in.string(std::move(text), self_of(self).markup);
}

Value part_of(Interpreter& in, const Value& self, Part part) {
  return like(in, self, self_of(self).text.slice(part.begin, part.size));
}

// A str argument; nullptr and failed for other types.
const String* text_argument(Interpreter& in, const Value& value) {
  if (value.is_string()) return &value.as<String>();
  if (value.is_undefined()) {
    in.fail_undefined(value);
  } else {
    in.fail_type(concat("a str is required, not ", in.type_name(value)));
  }
  return nullptr;
}

template <Case how>
Value change(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("str method", args, {}, 0, bound)) return Value();
  const Text& text = self_of(self).text;
  if (!in.step(1 + text.size() / 8) || !in.room(text.size() * 3)) return Value();
  return like(in, self, change_case(text, how));
}

template <bool left, bool right>
Value strip(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("strip", args, {"chars"}, 0, bound)) return Value();
  std::string_view chars;
  const bool given = bound.has(0) && !bound[0].is_none();
  if (given) {
    const String* text = text_argument(in, bound[0]);
    if (!text) return Value();
    chars = text->bytes();
  }
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 32 + chars.size() / 8)) return Value();
  return part_of(in, self, strip_part(bytes, given ? &chars : nullptr, left, right));
}

Value parts_to_list(Interpreter& in, const Value& self, const std::vector<Part>& parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const Part part : parts) {
    items.push_back(part_of(in, self, part));
    if (in.failed()) return Value();
  }
  return in.list(std::move(items));
}

template <bool from_right>
Value split(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("split", args, {"sep", "maxsplit"}, 0, bound)) return Value();
  const int64_t max = bound.has(1) ? in.to_index(bound[1]) : -1;
  std::string_view separator;
  const bool given = bound.has(0) && !bound[0].is_none();
  if (given) {
    const String* text = text_argument(in, bound[0]);
    if (!text) return Value();
    if (text->text.empty()) return in.fail_value("empty separator");
    separator = text->bytes();
  }
  const std::string_view bytes = self_of(self).bytes();
  if (in.failed() || !in.step(1 + bytes.size() / 16) || !in.room(bytes.size() * sizeof(Part))) return Value();
  return parts_to_list(in, self, split_parts(bytes, given ? &separator : nullptr, max, from_right));
}

Value splitlines(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("splitlines", args, {"keepends"}, 0, bound)) return Value();
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 16) || !in.room(bytes.size() * sizeof(Part))) return Value();
  return parts_to_list(in, self, line_parts(bytes, bound.has(0) && in.truthy(bound[0])));
}

// A character range [start, end) of a text as bytes; false when it lies outside.
bool byte_range(Interpreter& in, const Value& self, const Bound& bound, size_t first, Part& out) {
  const String& text = self_of(self);
  const int64_t n = in.length(self);
  const auto at = [&](size_t i, int64_t fallback) {
    if (!bound.has(i) || bound[i].is_none()) return fallback;
    const int64_t index = in.to_index(bound[i]);
    return index < 0 ? std::max<int64_t>(index < -n ? 0 : index + n, 0) : index;
  };
  const int64_t start = at(first, 0), end = std::min(at(first + 1, n), n);
  if (in.failed() || start > n || start > end) return false;
  out.begin = unicode::offset_of(text.bytes(), static_cast<size_t>(start));
  out.size = unicode::offset_of(text.bytes().substr(out.begin), static_cast<size_t>(end - start));
  return in.step(1 + text.text.size() / 32);
}

template <bool from_right>
size_t find_in(std::string_view text, std::string_view what) {
  if (from_right) return TextSearch(what, TextSearch::Direction::kBackward).last(text, text.size());
  return TextSearch(what).first(text);
}

template <bool from_right, bool must>
Value find(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("find", args, {"sub", "start", "end"}, 1, bound)) return Value();
  const String* what = text_argument(in, bound[0]);
  if (!what) return Value();
  const String& text = self_of(self);
  Part range;
  size_t at = std::string_view::npos;
  if (byte_range(in, self, bound, 1, range)) {
    const std::string_view bytes = text.bytes().substr(range.begin, range.size);
    at = find_in<from_right>(bytes, what->bytes());
  }
  if (in.failed()) return Value();
  if (at == std::string_view::npos) return must ? in.fail_value("substring not found") : Value(-1);
  return Value(unicode::count(text.bytes().substr(0, range.begin + at)));
}

Value count(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("count", args, {"sub", "start", "end"}, 1, bound)) return Value();
  const String* what = text_argument(in, bound[0]);
  Part range;
  if (!what || !byte_range(in, self, bound, 1, range)) return in.failed() ? Value() : Value(0);
  const std::string_view bytes = self_of(self).bytes().substr(range.begin, range.size);
  return Value(what->text.empty() ? unicode::count(bytes) + 1 : count_of(bytes, what->bytes()));
}

template <bool at_end>
Value affix(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind(at_end ? "endswith" : "startswith", args, {"affix", "start", "end"}, 1, bound)) return Value();
  std::vector<Value> candidates{bound[0]};
  if (bound[0].is(Kind::kTuple)) candidates = bound[0].as<Sequence>().items;
  Part range;
  const bool inside = byte_range(in, self, bound, 1, range);
  const std::string_view bytes = self_of(self).bytes().substr(range.begin, range.size);
  for (const Value& candidate : candidates) {
    const String* text = text_argument(in, candidate);
    if (!text || !in.step(1 + text->text.size() / 32)) return Value();
    if (inside && (at_end ? bytes.ends_with(text->bytes()) : bytes.starts_with(text->bytes()))) return Value(true);
  }
  return in.failed() ? Value() : Value(false);
}

template <bool suffix>
Value remove_affix(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("removeprefix", args, {"affix"}, 1, bound)) return Value();
  const String* what = text_argument(in, bound[0]);
  if (!what) return Value();
  const std::string_view bytes = self_of(self).bytes();
  const size_t n = what->text.size();
  if (!in.step(1 + n / 32)) return Value();
  if (suffix && bytes.ends_with(what->bytes())) return part_of(in, self, {0, bytes.size() - n});
  if (!suffix && bytes.starts_with(what->bytes())) return part_of(in, self, {n, bytes.size() - n});
  return self;
}

template <bool from_right>
Value partition(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("partition", args, {"sep"}, 1, bound)) return Value();
  const String* what = text_argument(in, bound[0]);
  if (!what) return Value();
  if (what->text.empty()) return in.fail_value("empty separator");
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 32)) return Value();
  const size_t at = find_in<from_right>(bytes, what->bytes());
  const Value nothing = like(in, self, Text());
  if (at == std::string_view::npos) {
    return from_right ? in.tuple({nothing, nothing, self}) : in.tuple({self, nothing, nothing});
  }
  const size_t end = at + what->text.size();
  return in.tuple({part_of(in, self, {0, at}), part_of(in, self, {at, what->text.size()}),
                   part_of(in, self, {end, bytes.size() - end})});
}

Value replace_method(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("replace", args, {"old", "new", "count"}, 2, bound)) return Value();
  const String* what = text_argument(in, bound[0]);
  const String* with = what ? text_argument(in, bound[1]) : nullptr;
  const int64_t count = bound.has(2) ? in.to_index(bound[2]) : -1;
  if (!with || in.failed() || !in.step(1 + self_of(self).text.size() / 16)) return Value();
  const Text replacement = self_of(self).markup ? escape_html(in, bound[1]) : with->text;
  Text out;
  if (!replace(self_of(self).text, what->text, replacement, count, in.options().max_memory / 4, out)) {
    return in.fail("the template used too much memory", ErrorCode::kLimit);
  }
  return like(in, self, std::move(out));
}

Value join(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  std::vector<Value> items;
  if (!in.bind("join", args, {"iterable"}, 1, bound) || !in.collect(bound[0], items)) return Value();
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out.append(self_of(self).text);
    const String* text = text_argument(in, items[i]);
    if (!text || !in.step() || !in.room(out.size() + text->text.size())) return Value();
    out.append(self_of(self).markup ? escape_html(in, items[i]) : text->text);
  }
  return like(in, self, std::move(out));
}

// Widens to `width` characters; left and right say where the filling goes.
template <bool left, bool right>
Value pad(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("center", args, {"width", "fillchar"}, 1, bound)) return Value();
  const int64_t width = in.to_index(bound[0]);
  std::string_view fill = " ";
  bool trusted = true;
  if (bound.has(1)) {
    const String* text = text_argument(in, bound[1]);
    if (!text) return Value();
    if (text->length() != 1) return in.fail_type("The fill character must be exactly one character long");
    fill = text->bytes();
    trusted = text->text.trusted_at(0);
  }
  const int64_t n = in.length(self);
  if (in.failed() || width <= n) return in.failed() ? Value() : self;
  const uint64_t missing = static_cast<uint64_t>(width - n);
  if (missing > in.options().max_memory / fill.size() || !in.room(missing * fill.size()) || !in.step(missing / 8)) {
    return in.fail("the template used too much memory", ErrorCode::kLimit);
  }
  const uint64_t before = left && right ? missing / 2 + (missing & static_cast<uint64_t>(width) & 1)
                          : left        ? missing
                                        : 0;
  Text out;
  out.append(repeat_char(fill, static_cast<size_t>(before)), trusted);
  out.append(self_of(self).text);
  out.append(repeat_char(fill, static_cast<size_t>(missing - before)), trusted);
  return like(in, self, std::move(out));
}

Value zfill(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("zfill", args, {"width"}, 1, bound)) return Value();
  const int64_t width = in.to_index(bound[0]), n = in.length(self);
  if (in.failed() || width <= n) return in.failed() ? Value() : self;
  const uint64_t missing = static_cast<uint64_t>(width - n);
  if (!in.room(missing) || !in.step(missing / 8)) return Value();
  const Text& text = self_of(self).text;
  const size_t sign = !text.empty() && (text.bytes()[0] == '+' || text.bytes()[0] == '-') ? 1 : 0;
  Text out = text.slice(0, sign);
  out.append(std::string(static_cast<size_t>(missing), '0'), true);
  out.append(text, sign, text.size() - sign);
  return like(in, self, std::move(out));
}

Value expandtabs(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("expandtabs", args, {"tabsize"}, 0, bound)) return Value();
  const int64_t tab = std::clamp<int64_t>(bound.has(0) ? in.to_index(bound[0]) : 8, 0, 1 << 20);
  const Text& text = self_of(self).text;
  const std::string_view bytes = text.bytes();
  Text out;
  int64_t column = 0;
  for (size_t pos = 0; pos < bytes.size() && in.step();) {
    const size_t size = unicode::decode(bytes, pos).size;
    if (bytes[pos] == '\t') {
      const int64_t n = tab == 0 ? 0 : tab - column % tab;
      if (!in.room(out.size() + static_cast<uint64_t>(n))) return Value();
      out.append(std::string(static_cast<size_t>(n), ' '), text.trusted_at(pos));
      column += n;
    } else {
      out.append(text, pos, size);
      column = bytes[pos] == '\n' || bytes[pos] == '\r' ? 0 : column + 1;
    }
    pos += size;
  }
  return in.failed() ? Value() : like(in, self, std::move(out));
}

template <bool (*is)(uint32_t)>
Value all_are(Interpreter& in, const Value& self, const CallArgs&) {
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 16)) return Value();
  for (size_t pos = 0; pos < bytes.size();) {
    const unicode::Char c = unicode::decode(bytes, pos);
    if (!is(c.code)) return Value(false);
    pos += c.size;
  }
  return Value(!bytes.empty());
}

bool is_ascii_code(uint32_t c) {
  return c < 0x80;
}

Value is_ascii(Interpreter& in, const Value& self, const CallArgs& args) {
  return self_of(self).text.empty() ? Value(true) : all_are<is_ascii_code>(in, self, args);
}

Value isprintable(Interpreter& in, const Value& self, const CallArgs& args) {
  return self_of(self).text.empty() ? Value(true) : all_are<unicode::is_printable>(in, self, args);
}

// All cased characters are of one case, and there is one.
template <bool upper>
Value is_case(Interpreter& in, const Value& self, const CallArgs&) {
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 16)) return Value();
  bool cased = false;
  for (size_t pos = 0; pos < bytes.size();) {
    const unicode::Char c = unicode::decode(bytes, pos);
    if (upper ? unicode::is_lower(c.code) : unicode::is_upper(c.code)) return Value(false);
    if (unicode::is_title(c.code)) return Value(false);
    cased = cased || (upper ? unicode::is_upper(c.code) : unicode::is_lower(c.code));
    pos += c.size;
  }
  return Value(cased);
}

Value istitle(Interpreter& in, const Value& self, const CallArgs&) {
  const std::string_view bytes = self_of(self).bytes();
  if (!in.step(1 + bytes.size() / 16)) return Value();
  bool cased = false, previous = false;
  for (size_t pos = 0; pos < bytes.size();) {
    const unicode::Char c = unicode::decode(bytes, pos);
    const bool upper = unicode::is_upper(c.code) || unicode::is_title(c.code);
    if ((upper && previous) || (unicode::is_lower(c.code) && !previous)) return Value(false);
    previous = upper || unicode::is_lower(c.code);
    cased = cased || previous;
    pos += c.size;
  }
  return Value(cased);
}

Value isidentifier(Interpreter& in, const Value& self, const CallArgs& args) {
  const std::string_view bytes = self_of(self).bytes();
  if (bytes.empty()) return Value(false);
  const uint32_t first = unicode::decode(bytes, 0).code;
  if (first != '_' && !unicode::is_alpha(first)) return Value(false);
  return all_are<unicode::is_word>(in, self, args);
}

Value format_method(Interpreter& in, const Value& self, const CallArgs& args) {
  return format_braces(in, self, args);
}

Value format_map(Interpreter& in, const Value& self, const CallArgs& args) {
  Bound bound;
  if (!in.bind("format_map", args, {"mapping"}, 1, bound)) return Value();
  CallArgs fields;
  if (!bound[0].is(Kind::kDict)) return in.fail_type("format_map() needs a mapping");
  for (const Dict::Entry& entry : bound[0].as<Dict>().entries) {
    if (entry.key.is_string()) fields.named.emplace_back(entry.key.as<String>().bytes(), entry.value);
  }
  return format_braces(in, self, fields);
}

constexpr MethodEntry kMethods[] = {
    {"capitalize", change<Case::kCapitalize>},
    {"casefold", change<Case::kLower>},
    {"center", pad<true, true>},
    {"count", count},
    {"endswith", affix<true>},
    {"expandtabs", expandtabs},
    {"find", find<false, false>},
    {"format", format_method},
    {"format_map", format_map},
    {"index", find<false, true>},
    {"isalnum", all_are<unicode::is_alnum>},
    {"isalpha", all_are<unicode::is_alpha>},
    {"isascii", is_ascii},
    {"isdecimal", all_are<unicode::is_decimal>},
    {"isdigit", all_are<unicode::is_digit>},
    {"isidentifier", isidentifier},
    {"islower", is_case<false>},
    {"isnumeric", all_are<unicode::is_numeric>},
    {"isprintable", isprintable},
    {"isspace", all_are<unicode::is_space>},
    {"istitle", istitle},
    {"isupper", is_case<true>},
    {"join", join},
    {"ljust", pad<false, true>},
    {"lower", change<Case::kLower>},
    {"lstrip", strip<true, false>},
    {"partition", partition<false>},
    {"removeprefix", remove_affix<false>},
    {"removesuffix", remove_affix<true>},
    {"replace", replace_method},
    {"rfind", find<true, false>},
    {"rindex", find<true, true>},
    {"rjust", pad<true, false>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", strip<false, true>},
    {"split", split<false>},
    {"splitlines", splitlines},
    {"startswith", affix<false>},
    {"strip", strip<true, true>},
    {"swapcase", change<Case::kSwap>},
    {"title", change<Case::kTitle>},
    {"upper", change<Case::kUpper>},
    {"zfill", zfill},
};

}  // namespace

const MethodEntry* find_string_method(std::string_view name) {
  for (const MethodEntry& entry : kMethods) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace hearth::jinja
