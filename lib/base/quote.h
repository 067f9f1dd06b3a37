// Names of a hostile file in error messages.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

/// The name in single quotes on one line: at most 80 characters of it, control and non-ASCII bytes as \xNN.
std::string quote(std::string_view name);

}  // namespace hearth
