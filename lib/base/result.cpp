// Names of error codes, and the library's version.
#include "hearth/result.h"

#include "hearth/version.h"

namespace hearth {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kFormat: return "format";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kOutOfMemory: return "out_of_memory";
    case ErrorCode::kContextFull: return "context_full";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kLimit: return "limit";
  }
  return "unknown";
}

#define HEARTH_STRING_(x) #x
#define HEARTH_STRING(x) HEARTH_STRING_(x)

const char* version() {
  return HEARTH_STRING(HEARTH_VERSION_MAJOR) "." HEARTH_STRING(HEARTH_VERSION_MINOR) "." HEARTH_STRING(
      HEARTH_VERSION_PATCH);
}

}  // namespace hearth
