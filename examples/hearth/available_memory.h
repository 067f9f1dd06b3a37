// Memory that a run may take.
#pragma once

#include "../store/machine.h"

namespace hearth_tool {

using hearth_store::available_memory;

}  // namespace hearth_tool
