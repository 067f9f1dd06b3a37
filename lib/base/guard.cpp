// What exceptions come to.
#include "lib/base/guard.h"

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "lib/base/no_memory.h"
#include "lib/base/quote.h"

namespace hearth {
namespace {

Error no_memory() {
  return {ErrorCode::kOutOfMemory, kNoMemory};
}

}  // namespace

#if defined(__cpp_exceptions) && !defined(HEARTH_ONLY_MEMORY_THROWS)

namespace {

Error callback_threw(const char* what) {
  try {
    return {ErrorCode::kCancelled, "a callback threw " + (what ? quote(what) : std::string("an exception"))};
  } catch (...) {
    return no_memory();
  }
}

}  // namespace

Error caught_error() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (const std::length_error&) {
    return no_memory();
  } catch (const std::exception& thrown) {
    return callback_threw(thrown.what());
  } catch (...) {
    return callback_threw(nullptr);
  }
}

#else

Error caught_error() noexcept {
  return no_memory();
}

#endif

}  // namespace hearth
