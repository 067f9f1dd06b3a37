// How much memory a process may still take.
#pragma once

#include <cstdint>

namespace hearth_tool {

/// Bytes that the machine, the control group and the process's own limit leave; 0 when nothing is known.
uint64_t available_memory();

}  // namespace hearth_tool
