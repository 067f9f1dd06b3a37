// Asking a server of models for what it tells of itself. One file implements this for each kind of system
// (near_server_posix.cpp, near_server_windows.cpp).
#pragma once

#include <string>

#include "hearth/result.h"

namespace hearth_tool {

/// The answer's body to a GET, from a server of this machine or a near one. kIo: none answers, or not with 200.
hearth::Result<std::string> get_from_server(const std::string& host, const std::string& port, const std::string& path);

}  // namespace hearth_tool
