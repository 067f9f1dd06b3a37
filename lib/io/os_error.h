// Turns errno into a hearth Error that names the path and what was tried.
#pragma once

#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth {

/// "PATH: ACTION: No such file or directory". ENOENT and ENOTDIR are kNotFound, ENOMEM is kOutOfMemory, all
/// others kIo. `errno_value` is the saved errno.
Error os_error(std::string_view path, std::string_view action, int errno_value);

}  // namespace hearth
