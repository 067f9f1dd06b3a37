// Text and code of operating-system errors.
#include "lib/io/os_error.h"

#include <cerrno>
#include <system_error>

#include "lib/base/guard.h"
#include "lib/base/no_memory.h"

namespace hearth {

Error os_error(std::string_view path, std::string_view action, int errno_value) {
  ErrorCode code = ErrorCode::kIo;
  if (errno_value == ENOENT || errno_value == ENOTDIR) code = ErrorCode::kNotFound;
  if (errno_value == ENOMEM) code = ErrorCode::kOutOfMemory;
  // A failure of the system must not be lost because there is no memory to describe it.
  return guard_or(Error{ErrorCode::kOutOfMemory, kNoMemory}, [&] {
    std::string message(path);
    message.append(": ").append(action).append(": ").append(std::generic_category().message(errno_value));
    return Error{code, std::move(message)};
  });
}

}  // namespace hearth
