// Version of the library.
#pragma once

#define HEARTH_VERSION_MAJOR 0
#define HEARTH_VERSION_MINOR 1
#define HEARTH_VERSION_PATCH 0

namespace hearth {

/// "0.1.0"
const char* version();

}  // namespace hearth
