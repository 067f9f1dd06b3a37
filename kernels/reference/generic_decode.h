// Decoders for the types that an instruction set has none for, made of unpack_<type> and of the set's put_block. Slow,
// but right for every type: a new type runs everywhere, and a new set runs everything.
#pragma once

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::reference {

using Unpack = void (*)(const Unpacked& out, const void* blocks, int64_t n);
using PutBlock = void (*)(void* panel, PanelKind kind, int64_t block, int row, const Unpacked& values);

/// Decodes n columns of a tile into a panel; see MatmulKernels::decode and put_block.
void decode_unpacked(void* panel, const WeightTile& tile, int64_t n, PanelKind kind, Unpack unpack, int64_t block_size,
                     int64_t block_bytes, PutBlock put_block);

}  // namespace hearth::kernels::reference
