// json.dumps of Python: its spacing, escapes, key conversions and order.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "lib/base/concat.h"
#include "lib/base/stack.h"
#include "lib/jinja/json_values.h"
#include "lib/jinja/number_format.h"
#include "lib/json/writer.h"
#include "lib/unicode/characters.h"

namespace hearth::jinja {
namespace {

constexpr int kMaxDepth = 900;  // Python gives up near 1000

class Writer {
 public:
  Writer(const JsonStyle& style, Heap& heap, Text& out, std::string& error)
      : style_(style), heap_(heap), out_(out), error_(error) {}

  bool write(const Value& value, int depth) {
    if (depth > kMaxDepth || !is_above(floor_))
      return fail("maximum recursion depth exceeded while encoding a JSON object");
    if (!heap_.has_room(out_.size())) return fail("the text grew too large");
    switch (value.kind()) {
      case Kind::kString: write_string(value.as<String>().text); return true;
      case Kind::kList:
      case Kind::kTuple: return write_sequence(value.as<Sequence>().items, depth);
      case Kind::kDict: return write_dict(value.as<Dict>(), depth);
      default: break;
    }
    std::string text;
    if (!scalar(value, text)) return fail_type(value);
    mark(text);
    return true;
  }

 private:
  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }

  bool fail_type(const Value& value) {
    static constexpr const char* kNames[] = {
        "NoneType", "bool",        "int",       "float",     "missing", "Undefined",         "int",      "str",
        "list",     "tuple",       "dict",      "dict_view", "range",   "Namespace",         "function", "method",
        "Macro",    "LoopContext", "generator", "Cycler",    "Joiner",  "TemplateReference", "frame"};
    return fail(
        concat("TypeError: Object of type ", kNames[static_cast<size_t>(value.kind())], " is not JSON serializable"));
  }

  void mark(std::string_view text) { out_.append(text, false); }

  static bool scalar(const Value& value, std::string& text) {
    switch (value.kind()) {
      case Kind::kNone: text = "null"; return true;
      case Kind::kBool: text = value.as_bool() ? "true" : "false"; return true;
      case Kind::kInt: text = std::to_string(value.as_int()); return true;
      case Kind::kBigInt: text = value.as<BigNumber>().decimal(); return true;
      case Kind::kFloat:
        text = std::isnan(value.as_float())   ? "NaN"
               : std::isinf(value.as_float()) ? (value.as_float() < 0 ? "-Infinity" : "Infinity")
                                              : float_repr(value.as_float());
        return true;
      default: return false;
    }
  }

  void write_escaped(uint32_t code, bool trusted) {
    std::string escape;
    json::append_escape(escape, code);
    out_.append(escape, trusted);
  }

  void write_string(const Text& text) {
    mark("\"");
    const std::string_view bytes = text.bytes();
    size_t plain = 0;  // start of what needs no escape
    for (size_t pos = 0; pos < bytes.size();) {
      const auto lead = static_cast<uint8_t>(bytes[pos]);
      const bool escape = lead < 0x20 || lead == '"' || lead == '\\' || (style_.ensure_ascii && lead >= 0x7F);
      if (!escape) {
        ++pos;
        continue;
      }
      out_.append(text, plain, pos - plain);
      const unicode::Char c = unicode::decode(bytes, pos);
      write_escaped(c.code, text.trusted_at(pos));
      pos += c.size;
      plain = pos;
    }
    out_.append(text, plain, bytes.size() - plain);
    mark("\"");
  }

  bool new_line(int depth) {
    if (!style_.indented) return true;
    const size_t width = style_.indent.size() * static_cast<size_t>(depth);
    if (!heap_.has_room(out_.size() + width)) return fail("the text grew too large");
    mark("\n");
    for (int i = 0; i < depth; ++i) mark(style_.indent);
    return true;
  }

  bool write_sequence(const std::vector<Value>& items, int depth) {
    if (items.empty()) return mark("[]"), true;
    mark("[");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out_.append(style_.item_separator);
      if (!new_line(depth + 1) || !write(items[i], depth + 1)) return false;
    }
    if (!new_line(depth)) return false;
    mark("]");
    return true;
  }

  bool order(const Dict& dict, std::vector<const Dict::Entry*>& entries) {
    for (const Dict::Entry& entry : dict.entries) entries.push_back(&entry);
    if (!style_.sort_keys || entries.empty()) return true;
    bool strings = true, numbers = true;
    for (const auto* entry : entries) {
      strings = strings && entry->key.is_string();
      numbers = numbers && entry->key.is_small_int();
    }
    if (!strings && !numbers && entries.size() > 1) {
      return fail("TypeError: '<' not supported between the keys to sort");
    }
    // Byte order of UTF-8 is the order of code points.
    std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
      if (strings) return a->key.template as<String>().bytes() < b->key.template as<String>().bytes();
      return a->key.as_int() < b->key.as_int();
    });
    return true;
  }

  bool write_dict(const Dict& dict, int depth) {
    if (dict.entries.empty()) return mark("{}"), true;
    std::vector<const Dict::Entry*> entries;
    if (!order(dict, entries)) return false;
    mark("{");
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i != 0) out_.append(style_.item_separator);
      if (!new_line(depth + 1)) return false;
      std::string key;
      if (entries[i]->key.is_string()) {
        write_string(entries[i]->key.as<String>().text);
      } else if (scalar(entries[i]->key, key)) {
        mark(concat("\"", key, "\""));
      } else {
        return fail("TypeError: keys must be str, int, float, bool or None");
      }
      out_.append(style_.key_separator);
      if (!write(entries[i]->value, depth + 1)) return false;
    }
    if (!new_line(depth)) return false;
    mark("}");
    return true;
  }

  const JsonStyle& style_;
  const uintptr_t floor_ = stack_floor();
  Heap& heap_;
  Text& out_;
  std::string& error_;
};

}  // namespace

bool write_json(const Value& value, const JsonStyle& style, Heap& heap, Text& out, std::string& error) {
  return Writer(style, heap, out, error).write(value, 0);
}

}  // namespace hearth::jinja
