// KV types in the reference kernels: one struct Kv<Name> per row of kv_types.inc, which writes one position of a page
// and reads one element. kernels/kv_types.h has the layouts.
#pragma once

#include <cstdint>

#include "kernels/half.h"
#include "kernels/reference/kv_blocks.h"

namespace hearth::kernels::reference {

struct F32Element {
  using Stored = float;
  static Stored encode(float x) { return x; }
  static float decode(Stored x) { return x; }
};
struct F16Element {
  using Stored = uint16_t;
  static Stored encode(float x) { return float_to_half(x); }
  static float decode(Stored x) { return half_to_float(x); }
};
struct BF16Element {
  using Stored = uint16_t;
  static Stored encode(float x) { return float_to_bf16(x); }
  static float decode(Stored x) { return bf16_to_float(x); }
};

/// Types whose elements stand alone: keys [k_dim, 64], values [64, v_dim].
template <typename Element>
struct PlainKv {
  using Stored = typename Element::Stored;
  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    for (int64_t d = 0; d < k_dim; ++d) static_cast<Stored*>(keys)[d * kPageTokens + slot] = Element::encode(k[d]);
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    for (int64_t d = 0; d < v_dim; ++d) static_cast<Stored*>(values)[slot * v_dim + d] = Element::encode(v[d]);
  }
  static float key(const void* keys, int64_t /*k_dim*/, int slot, int64_t d) {
    return Element::decode(static_cast<const Stored*>(keys)[d * kPageTokens + slot]);
  }
  static float value(const void* values, int64_t v_dim, int slot, int64_t d) {
    return Element::decode(static_cast<const Stored*>(values)[slot * v_dim + d]);
  }
  static void turn_keys(void* keys, uint64_t slots, int64_t /*k_dim*/, const KeyTurn& turn, float* /*work*/) {
    for (int64_t i = 0; i < turn.n_rot / 2; ++i) {
      const auto [a, b] = kv_pair(i, turn.n_rot, turn.halves);
      const float c = turn.cos_sin[2 * i], s = turn.cos_sin[2 * i + 1];
      Stored *row_a = static_cast<Stored*>(keys) + a * kPageTokens, *row_b = row_a + (b - a) * kPageTokens;
      for (int slot = 0; slot < kPageTokens; ++slot) {
        if ((slots >> slot & 1u) == 0) continue;
        const float x = Element::decode(row_a[slot]), y = Element::decode(row_b[slot]);
        row_a[slot] = Element::encode(x * c - y * s);
        row_b[slot] = Element::encode(x * s + y * c);
      }
    }
  }
};

using KvF32 = PlainKv<F32Element>;
using KvF16 = PlainKv<F16Element>;
using KvBF16 = PlainKv<BF16Element>;
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes)
#define HEARTH_KV_BLOCK_TYPE(Name, name, block_size, block_bytes) using Kv##Name = BlockKv<KvType::k##Name>;
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE

/// Reads of one element, for attention.
struct KvElements {
  float (*key)(const void* keys, int64_t k_dim, int slot, int64_t d);
  float (*value)(const void* values, int64_t v_dim, int slot, int64_t d);
};
const KvElements& kv_elements(KvType type);

}  // namespace hearth::kernels::reference
