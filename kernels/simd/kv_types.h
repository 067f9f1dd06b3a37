// Plain KV types in the vocabulary of <isa>/simd.h: one struct Kv<Name> per row of kv_types.inc, which writes one
// position of a page and loads vectors of it for attention. kernels/kv_types.h has the layouts. Blocks are written in
// kv_block_store.h; kv_blocks.h reads them for attention.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/elements.h"
#include "kernels/simd/kv_turn.h"

namespace hearth::kernels {
namespace {

/// Types whose elements stand alone: keys [k_dim, 64], values [64, v_dim].
template <typename Elements>
struct PlainKv {
  using Stored = typename Elements::Stored;

  /// Element d of kLanes tokens from slot t on.
  static Floats key(const void* keys, int64_t /*k_dim*/, int64_t d, int64_t t) {
    return Elements::load(static_cast<const Stored*>(keys) + d * kPageTokens + t);
  }
  /// Elements d, d + 1, ... of the token in slot t: kLanes of them, or fewer.
  static Floats value_up_to(const void* values, int64_t v_dim, int64_t t, int64_t d, int64_t n) {
    return load_elements_up_to<Elements>(static_cast<const Stored*>(values) + t * v_dim + d, n);
  }

  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    Stored* to = static_cast<Stored*>(keys) + slot;
    alignas(64) Stored stored[kLanes];
    for_each_vector(k_dim, [&](int64_t d, int64_t n) {
      Elements::store_up_to(stored, load_up_to(k + d, n), kLanes);
      for (int64_t j = 0; j < n; ++j) to[(d + j) * kPageTokens] = stored[j];
    });
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    Stored* to = static_cast<Stored*>(values) + slot * v_dim;
    for_each_vector(v_dim, [=](int64_t d, int64_t n) { Elements::store_up_to(to + d, load_up_to(v + d, n), n); });
  }
  static void turn_keys(void* keys, uint64_t slots, int64_t /*k_dim*/, const KeyTurn& turn, float* /*work*/) {
    turn_plain_keys<Elements>(static_cast<Stored*>(keys), slots, turn);
  }
};

using KvF32 = PlainKv<F32Elements>;
using KvF16 = PlainKv<F16Elements>;
using KvBF16 = PlainKv<BF16Elements>;

#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes)
#define HEARTH_KV_BLOCK_TYPE(Name, name, block_size, block_bytes) using Kv##Name = BlockKv<KvType::k##Name>;
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE

/// Reading back stays the reference's.
inline void overlay_kv_types(KvTypeKernels* rows) {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) \
  rows->store_key = Kv##Name::store_key;                    \
  rows->store_value = Kv##Name::store_value;                \
  rows++->turn_keys = Kv##Name::turn_keys;
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
}

}  // namespace
}  // namespace hearth::kernels
