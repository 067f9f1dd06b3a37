// The built-in filters, by subject; filters.cpp has the table that names them.
#pragma once

#include "lib/jinja/interpreter.h"
#include "lib/jinja/string_ops.h"

namespace hearth::jinja {

using FilterRun = Value (*)(Interpreter&, const Value& input, const CallArgs&);
struct FilterEntry {
  std::string_view name;
  FilterRun run;
};

/// The path of `attribute=`: names and numbers between dots, looked up one after the other.
struct AttributePath {
  std::vector<Value> parts;
  Value fallback = Value::missing();  ///< for a part that is undefined
  bool ignore_case = false;           ///< strings come back in lower case
  Value get(Interpreter& in, const Value& object) const;
};
AttributePath attribute_path(Interpreter& in, const Value& attribute);

/// Stable sort by keys computed beforehand; false and failed when they have no order.
bool sort_by(Interpreter& in, std::vector<Value>& items, const std::vector<Value>& keys, bool reverse);
/// str in lower case, anything else as it is.
Value lower_key(Interpreter& in, const Value& value);

/// An optional argument that None leaves off.
inline bool is_given(const Bound& bound, size_t i) {
  return bound.has(i) && !bound[i].is_none();
}

namespace filters {
/// A value that must be a str, as filters need that call its methods without converting; nullptr after a failure.
const String* must_be_text(Interpreter& in, const Value& value);

// filters_text.cpp
Value capitalize(Interpreter&, const Value&, const CallArgs&);
Value center(Interpreter&, const Value&, const CallArgs&);
Value escape(Interpreter&, const Value&, const CallArgs&);
Value force_escape(Interpreter&, const Value&, const CallArgs&);
Value format(Interpreter&, const Value&, const CallArgs&);
Value indent(Interpreter&, const Value&, const CallArgs&);
Value lower(Interpreter&, const Value&, const CallArgs&);
Value replace(Interpreter&, const Value&, const CallArgs&);
Value safe(Interpreter&, const Value&, const CallArgs&);
Value string(Interpreter&, const Value&, const CallArgs&);
Value striptags(Interpreter&, const Value&, const CallArgs&);
Value title(Interpreter&, const Value&, const CallArgs&);
Value trim(Interpreter&, const Value&, const CallArgs&);
Value truncate(Interpreter&, const Value&, const CallArgs&);
Value upper(Interpreter&, const Value&, const CallArgs&);
Value urlencode(Interpreter&, const Value&, const CallArgs&);
Value wordcount(Interpreter&, const Value&, const CallArgs&);
Value wordwrap(Interpreter&, const Value&, const CallArgs&);
Value xmlattr(Interpreter&, const Value&, const CallArgs&);
// filters_value.cpp
Value absolute(Interpreter&, const Value&, const CallArgs&);
Value attribute(Interpreter&, const Value&, const CallArgs&);
Value fallback(Interpreter&, const Value&, const CallArgs&);
Value filesizeformat(Interpreter&, const Value&, const CallArgs&);
Value from_json(Interpreter&, const Value&, const CallArgs&);
Value to_float(Interpreter&, const Value&, const CallArgs&);
Value to_int(Interpreter&, const Value&, const CallArgs&);
Value pprint(Interpreter&, const Value&, const CallArgs&);
Value round(Interpreter&, const Value&, const CallArgs&);
Value tojson(Interpreter&, const Value&, const CallArgs&);
// filters_list.cpp
Value dictsort(Interpreter&, const Value&, const CallArgs&);
Value first(Interpreter&, const Value&, const CallArgs&);
Value groupby(Interpreter&, const Value&, const CallArgs&);
Value join(Interpreter&, const Value&, const CallArgs&);
Value last(Interpreter&, const Value&, const CallArgs&);
Value length(Interpreter&, const Value&, const CallArgs&);
Value list(Interpreter&, const Value&, const CallArgs&);
Value max(Interpreter&, const Value&, const CallArgs&);
Value min(Interpreter&, const Value&, const CallArgs&);
Value random(Interpreter&, const Value&, const CallArgs&);
Value reverse(Interpreter&, const Value&, const CallArgs&);
Value sort(Interpreter&, const Value&, const CallArgs&);
Value sum(Interpreter&, const Value&, const CallArgs&);
// filters_lazy.cpp: their results are found while one iterates over them
Value batch(Interpreter&, const Value&, const CallArgs&);
Value items(Interpreter&, const Value&, const CallArgs&);
Value map(Interpreter&, const Value&, const CallArgs&);
Value reject(Interpreter&, const Value&, const CallArgs&);
Value rejectattr(Interpreter&, const Value&, const CallArgs&);
Value select(Interpreter&, const Value&, const CallArgs&);
Value selectattr(Interpreter&, const Value&, const CallArgs&);
Value slices(Interpreter&, const Value&, const CallArgs&);
Value unique(Interpreter&, const Value&, const CallArgs&);
}  // namespace filters

}  // namespace hearth::jinja
