// Keys or values of one head, copied from one page to another as they are stored.
#pragma once

#include <cstdint>

#include "kernels/kv_types.h"

namespace hearth {

/// Pages as kernels/kv_types.h lays them out; they may be the same page. n neighboring slots. dim: elements of the
/// head.
void copy_key(kernels::KvType type, void* to, int to_slot, const void* from, int from_slot, int64_t dim, int n = 1);
void copy_value(kernels::KvType type, void* to, int to_slot, const void* from, int from_slot, int64_t dim, int n = 1);

}  // namespace hearth
