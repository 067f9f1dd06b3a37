// JSON that the commands print.
#pragma once

#include <nlohmann/json.hpp>

#include "terminal.h"

namespace hearth_tool {

using Json = nlohmann::ordered_json;

/// One value, indented, and a newline; bytes that are not UTF-8 become U+FFFD.
inline void print_json(const Json& value) {
  print(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// The same on one line, for JSON lines.
inline void print_json_line(const Json& value) {
  print(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace hearth_tool
