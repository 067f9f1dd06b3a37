// How deep the stack of the calling thread may still grow. Recursion over files and templates is bounded by that, since
// threads have stacks of very different sizes (8 MiB, 512 KiB, 128 KiB).
#pragma once

#include <cstdint>

namespace hearth {

/// The address below which recursion that begins here must stop: what is left then suffices for functions that do not
/// recurse. Where the system does not tell the bounds of the stack (or this is a fiber's), a modest depth is assumed.
uintptr_t stack_floor();

/// Whether the caller stands above the floor.
inline bool is_above(uintptr_t floor) {
  return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) > floor;
}

}  // namespace hearth
