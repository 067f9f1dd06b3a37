// Reading one element of a KV page in the reference kernels.
#pragma once

#include <cstdint>

#include "kernels/cell_types.h"

namespace hearth::kernels::reference {

float load_cell(const void* cells, CellType type, int64_t index);

}  // namespace hearth::kernels::reference
