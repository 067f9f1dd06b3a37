// Version of the library. C includes this file, too.
#pragma once

#define HEARTH_VERSION_MAJOR 0
#define HEARTH_VERSION_MINOR 1
#define HEARTH_VERSION_PATCH 0

#ifdef __cplusplus
namespace hearth {

/// "0.1.0"
const char* version();

}  // namespace hearth
#endif
