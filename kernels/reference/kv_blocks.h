// Blocks of KV types whose elements share a scale: writing a position of a page and reading one element, by type.
#pragma once

#include <cstdint>

#include "kernels/kv_blocks.h"

namespace hearth::kernels::reference {

/// Writes one position without touching others. x: [dim].
void store_block_key(KvType type, void* keys, int slot, const float* x, int64_t dim);
void store_block_value(KvType type, void* values, int slot, const float* x, int64_t dim);
/// Element d of a position.
float block_key(KvType type, const void* keys, int64_t dim, int slot, int64_t d);
float block_value(KvType type, const void* values, int64_t dim, int slot, int64_t d);
/// See KvTypeKernels::turn_keys. k: [k_dim] to work with.
void turn_block_keys(KvType type, void* keys, uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* k);

/// The interface of the plain types for one type of blocks.
template <KvType kType>
struct BlockKv {
  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    store_block_key(kType, keys, slot, k, k_dim);
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    store_block_value(kType, values, slot, v, v_dim);
  }
  static float key(const void* keys, int64_t k_dim, int slot, int64_t d) {
    return block_key(kType, keys, k_dim, slot, d);
  }
  static float value(const void* values, int64_t v_dim, int slot, int64_t d) {
    return block_value(kType, values, v_dim, slot, d);
  }
  static void turn_keys(void* keys, uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* work) {
    turn_block_keys(kType, keys, slots, k_dim, turn, work);
  }
};

}  // namespace hearth::kernels::reference
