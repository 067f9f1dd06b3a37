// JSON in and out of a template's values: documents as Values, and json.dumps of Python.
#pragma once

#include <string>
#include <string_view>

#include "lib/jinja/value.h"

namespace hearth::jinja {

/// Reads one JSON document. Objects keep the order of their keys, the last of equal keys wins; numbers with a
/// point or exponent are floats, others integers of any size; NaN and Infinity are read as Python does. Strings
/// get the mark `trusted`. False with `error` (line and column named) when malformed, nested deeper than
/// kMaxJsonDepth, or too large for the heap.
bool read_json(Heap& heap, std::string_view text, bool trusted, Value& out, std::string& error);
constexpr int kMaxJsonDepth = 400;

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool indented = false;
  std::string indent;  ///< of one level
  Text item_separator{std::string_view(", "), false};
  Text key_separator{std::string_view(": "), false};
};

/// Appends json.dumps(value). False with `error` for values that JSON does not know and for bounds.
bool write_json(const Value& value, const JsonStyle& style, Heap& heap, Text& out, std::string& error);

}  // namespace hearth::jinja
