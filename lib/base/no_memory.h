// The message of an error where no memory is left for one.
#pragma once

namespace hearth {

/// Lies in a std::string itself, which has room for 10 bytes at least (libc++ of 32 bits).
inline constexpr const char* kNoMemory = "no memory";

}  // namespace hearth
