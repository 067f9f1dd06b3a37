// Filters on texts. Those that Jinja runs over str() take any value.
#include <algorithm>
#include <cmath>

#include "lib/base/concat.h"
#include "lib/jinja/filters.h"
#include "lib/unicode/characters.h"
#include "lib/unicode/properties.h"

namespace hearth::jinja::filters {
namespace {

// soft_str: a str stays, anything else is printed.
Value soft(Interpreter& in, const Value& value) {
  return value.is_string() ? value : in.string(in.text_of(value));
}

Value method(Interpreter& in, const Value& input, const char* name, const CallArgs& args) {
  const Value text = soft(in, input);
  if (in.failed()) return Value();
  return find_string_method(name)->run(in, text, args);
}

bool no_arguments(Interpreter& in, const char* name, const CallArgs& args) {
  Bound bound;
  return in.bind(name, args, {}, 0, bound);
}

bool is_unreserved(unsigned char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '.' || c == '-' ||
         c == '~';
}

void quote_url(Text& out, const Text& text, bool for_query) {
  const std::string_view bytes = text.bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (is_unreserved(c) || (c == '/' && !for_query)) {
      out.append(text, i, 1);
    } else if (c == ' ' && for_query) {
      out.append("+", text.trusted_at(i));
    } else {
      const char hex[] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
      out.append({hex, 3}, text.trusted_at(i));
    }
  }
}

}  // namespace

const String* must_be_text(Interpreter& in, const Value& value) {
  if (value.is_string()) return &value.as<String>();
  if (value.is_undefined()) {
    in.fail_undefined(value);
  } else {
    in.fail_type(concat("a str is required, not ", in.type_name(value)));
  }
  return nullptr;
}

Value upper(Interpreter& in, const Value& input, const CallArgs& args) {
  return method(in, input, "upper", args);
}
Value lower(Interpreter& in, const Value& input, const CallArgs& args) {
  return method(in, input, "lower", args);
}
Value capitalize(Interpreter& in, const Value& input, const CallArgs& args) {
  return method(in, input, "capitalize", args);
}

Value string(Interpreter& in, const Value& input, const CallArgs& args) {
  return no_arguments(in, "string", args) ? soft(in, input) : Value();
}

Value trim(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("trim", args, {"chars"}, 0, bound)) return Value();
  CallArgs chars;
  if (bound.has(0)) chars.positional.push_back(bound[0]);
  return method(in, input, "strip", chars);
}

Value center(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("center", args, {"width"}, 0, bound)) return Value();
  return method(in, input, "center", {{bound.has(0) ? bound[0] : Value(80)}, {}});
}

Value title(Interpreter& in, const Value& input, const CallArgs& args) {
  const Value value = soft(in, input);
  if (in.failed() || !no_arguments(in, "title", args)) return Value();
  const Text& text = value.as<String>().text;
  if (!in.step(1 + text.size() / 8) || !in.room(text.size() * 3)) return Value();
  const std::string_view bytes = text.bytes();
  const auto separates = [&](uint32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || unicode::is_space(c);
  };
  Text out;
  for (size_t pos = 0; pos < bytes.size();) {
    size_t end = pos;
    while (end < bytes.size() && !separates(unicode::decode(bytes, end).code)) end += unicode::decode(bytes, end).size;
    if (end > pos) {
      const size_t first = unicode::decode(bytes, pos).size;
      out.append(change_case(text.slice(pos, first), Case::kUpper));
      out.append(change_case(text.slice(pos + first, end - pos - first), Case::kLower));
    }
    pos = end;
    while (end < bytes.size() && separates(unicode::decode(bytes, end).code)) end += unicode::decode(bytes, end).size;
    out.append(text, pos, end - pos);
    pos = end;
  }
  return in.string(std::move(out), value.as<String>().markup);
}

Value replace(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("replace", args, {"old", "new", "count"}, 2, bound)) return Value();
  // str() of a Markup is a plain str unless autoescape is on.
  const Text text = in.text_of(input), what = in.text_of(bound[0]), with = in.text_of(bound[1]);
  const int64_t count = is_given(bound, 2) ? in.to_index(bound[2]) : -1;
  Text out;
  if (in.failed() || !in.step(1 + text.size() / 16)) return Value();
  if (!jinja::replace(text, what, with, count, in.options().max_memory / 4, out)) {
    return in.fail("the template used too much memory", ErrorCode::kLimit);
  }
  return in.string(std::move(out));
}

Value escape(Interpreter& in, const Value& input, const CallArgs& args) {
  return no_arguments(in, "escape", args) ? in.string(escape_html(in, input), true) : Value();
}

Value force_escape(Interpreter& in, const Value& input, const CallArgs& args) {
  if (!no_arguments(in, "forceescape", args)) return Value();
  return in.string(escape_html(in, in.string(in.text_of(input))), true);
}

Value safe(Interpreter& in, const Value& input, const CallArgs& args) {
  return no_arguments(in, "safe", args) ? in.string(in.text_of(input), true) : Value();
}

Value format(Interpreter& in, const Value& input, const CallArgs& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    return in.fail("can't handle positional and keyword arguments at the same time");
  }
  const Value text = soft(in, input);
  Value fields;
  if (args.named.empty()) {
    fields = in.tuple(args.positional);
  } else {
    fields = Value(new Dict(in.heap()));
    for (const auto& [name, value] : args.named) fields.as<Dict>().set(in.string(name), value);
  }
  return in.failed() ? Value() : format_percent(in, text, fields);
}

Value indent(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("indent", args, {"width", "first", "blank"}, 0, bound)) return Value();
  const String* source = must_be_text(in, input);
  if (!source) return Value();
  Text indention;
  if (bound.has(0) && bound[0].is_string()) {
    indention = bound[0].as<String>().text;
  } else {
    const int64_t width = bound.has(0) ? in.to_index(bound[0]) : 4;
    if (in.failed() || !in.room(static_cast<uint64_t>(std::max<int64_t>(width, 0)))) return Value();
    indention = Text(std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' '), true);
  }
  const bool first = bound.has(1) && in.truthy(bound[1]), blank = bound.has(2) && in.truthy(bound[2]);
  Text text = source->text;
  text.append("\n", true);
  if (!in.step(1 + text.size() / 16)) return Value();
  const std::vector<Part> lines = line_parts(text.bytes(), false);
  Text out;
  if (first) out.append(indention);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i != 0) out.append("\n", text.trusted_at(lines[i].begin - 1));
    if (i != 0 && (blank || lines[i].size != 0)) out.append(indention);
    out.append(text, lines[i].begin, lines[i].size);
    if (!in.step() || !in.room(out.size())) return Value();
  }
  return in.string(std::move(out), source->markup);
}

Value truncate(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("truncate", args, {"length", "killwords", "end", "leeway"}, 0, bound)) return Value();
  // Jinja asks for the length first: a short list comes back as it is.
  const int64_t n = in.length(input);
  if (in.failed()) return Value();
  const Value end = bound.has(2) ? bound[2] : in.string("...");
  const int64_t length = bound.has(0) ? in.to_index(bound[0]) : 255,
                leeway = is_given(bound, 3) ? in.to_index(bound[3]) : 5;
  const String* end_text = must_be_text(in, end);
  if (in.failed() || !end_text) return Value();
  const int64_t end_length = in.length(end);
  if (length < end_length) return in.fail(concat("AssertionError: expected length >= ", end_length));
  if (leeway < 0) return in.fail("AssertionError: expected leeway >= 0");
  if (n <= length || n - length <= leeway) return input;
  const String* text = must_be_text(in, input);
  if (!text) return Value();
  size_t keep = unicode::offset_of(text->bytes(), static_cast<size_t>(length - end_length));
  if (!bound.has(1) || !in.truthy(bound[1])) {
    const size_t space = text->bytes().substr(0, keep).rfind(' ');
    if (space != std::string_view::npos) keep = space;
  }
  Text out = text->text.slice(0, keep);
  out.append(end_text->text);
  return in.string(std::move(out), text->markup);
}

Value wordcount(Interpreter& in, const Value& input, const CallArgs& args) {
  const Text text = in.text_of(input);
  if (!no_arguments(in, "wordcount", args) || !in.step(1 + text.size() / 16)) return Value();
  int64_t words = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const unicode::Char c = unicode::decode(text.bytes(), pos);
    const bool word = unicode::is_word(c.code);
    words += word && !inside;
    inside = word;
    pos += c.size;
  }
  return Value(words);
}

Value striptags(Interpreter& in, const Value& input, const CallArgs& args) {
  const Text text = in.text_of(input);
  if (!no_arguments(in, "striptags", args) || !in.step(1 + text.size() / 8)) return Value();
  std::string_view bytes = text.bytes();
  Text plain;
  bool ends[2] = {true, true};  // whether there may be an end of a tag, of a comment
  for (size_t pos = 0; pos < bytes.size();) {
    const bool comment = bytes.substr(pos).starts_with("<!--");
    size_t end = std::string_view::npos;
    if (bytes[pos] == '<' && ends[comment]) {
      end = comment ? bytes.find("-->", pos + 4) : bytes.find('>', pos + 1);
      ends[comment] = end != std::string_view::npos;
    }
    if (end == std::string_view::npos) {
      plain.append(text, pos, 1);
      ++pos;
    } else {
      pos = end + (comment ? 3 : 1);
    }
    if (!in.step()) return Value();
  }
  Text out;
  for (const Part part : split_parts(plain.bytes(), nullptr, -1, false)) {
    if (!out.empty()) out.append(" ", false);
    out.append(plain, part.begin, part.size);
  }
  static constexpr std::pair<const char*, const char*> kEntities[] = {{"&lt;", "<"},  {"&gt;", ">"},    {"&#34;", "\""},
                                                                      {"&#39;", "'"}, {"&quot;", "\""}, {"&amp;", "&"}};
  for (const auto& [from, to] : kEntities) {
    Text next;
    if (!jinja::replace(out, Text(std::string_view(from), false), Text(std::string_view(to), false), -1, SIZE_MAX,
                        next))
      break;
    out = std::move(next);
  }
  return in.string(std::move(out));
}

Value urlencode(Interpreter& in, const Value& input, const CallArgs& args) {
  if (!no_arguments(in, "urlencode", args)) return Value();
  Text out;
  if (input.is_string() || !in.is_iterable(input)) {
    const Text text = in.text_of(input);
    if (!in.step(1 + text.size() / 8) || !in.room(text.size() * 3)) return Value();
    quote_url(out, text, false);
    return in.string(std::move(out));
  }
  std::vector<Value> pairs;
  const Value source = input.is(Kind::kDict) ? Value(new DictView(in.heap(), input, DictView::What::kItems)) : input;
  if (!in.collect(source, pairs)) return Value();
  for (size_t i = 0; i < pairs.size(); ++i) {
    std::vector<Value> pair;
    if (!in.collect(pairs[i], pair)) return Value();
    if (pair.size() != 2) return in.fail_value("expected pairs of key and value");
    const Text key = in.text_of(pair[0]), value = in.text_of(pair[1]);
    if (!in.step(1 + (key.size() + value.size()) / 8) || !in.room(out.size() + 3 * (key.size() + value.size())))
      return Value();
    if (i != 0) out.append("&", false);
    quote_url(out, key, true);
    out.append("=", false);
    quote_url(out, value, true);
  }
  return in.string(std::move(out));
}

Value xmlattr(Interpreter& in, const Value& input, const CallArgs& args) {
  Bound bound;
  if (!in.bind("xmlattr", args, {"autospace"}, 0, bound)) return Value();
  if (input.is_undefined()) return in.fail_undefined(input);
  if (!input.is(Kind::kDict)) return in.fail_type("xmlattr needs a mapping");
  Text out;
  for (const Dict::Entry& entry : input.as<Dict>().entries) {
    if (entry.value.is_none() || entry.value.is_undefined()) continue;
    if (!entry.key.is_string()) return in.fail_type("expected string as attribute name");
    if (entry.key.as<String>().bytes().find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos) {
      return in.fail_value("Invalid character in attribute name");
    }
    if (!out.empty()) out.append(" ", false);
    out.append(escape_html(in, entry.key));
    out.append("=\"", false);
    out.append(escape_html(in, entry.value));
    out.append("\"", false);
    if (!in.step() || !in.room(out.size())) return Value();
  }
  const bool space = !out.empty() && (!bound.has(0) || in.truthy(bound[0]));
  Text result(std::string_view(space ? " " : ""), false);
  result.append(out);
  return in.string(std::move(result), in.autoescape());
}

}  // namespace hearth::jinja::filters
