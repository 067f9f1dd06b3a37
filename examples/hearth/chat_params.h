// The settings of a conversation that may be changed while it runs.
#pragma once

#include <string>

#include "hearth/generator.h"

namespace hearth_tool {

/// One "name value" a line, sorted by name, with the help of each.
std::string list_params(const hearth::GenerateOptions& options);

/// Sets one by name. kInvalidArgument says what is wrong, with the name that was probably meant; nothing changes then.
hearth::Status change_param(hearth::GenerateOptions& options, const std::string& name, const std::string& value);

}  // namespace hearth_tool
