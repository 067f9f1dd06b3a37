// KV types in the vocabulary of <isa>/simd.h: one struct Kv<Name> per row of kv_types.inc, which writes and reads one
// position of a page and loads vectors of it for attention. kernels/kv_types.h has the layouts.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/kv_blocks.h"
#include "kernels/simd/elements.h"

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
  static void load_key(float* k, const void* keys, int slot, int64_t k_dim) {
    const Stored* from = static_cast<const Stored*>(keys) + slot;
    alignas(64) Stored stored[kLanes] = {};
    for_each_vector(k_dim, [&](int64_t d, int64_t n) {
      for (int64_t j = 0; j < n; ++j) stored[j] = from[(d + j) * kPageTokens];
      store_up_to(k + d, Elements::load(stored), n);
    });
  }
  static void load_value(float* v, const void* values, int slot, int64_t v_dim) {
    for_each_vector(v_dim,
                    [=](int64_t d, int64_t n) { store_up_to(v + d, value_up_to(values, v_dim, slot, d, n), n); });
  }
};

/// Blocks of 32 8-bit integers with a half as scale; a vector never crosses blocks, and what pads one is 0.
struct KvQ8_0 {
  static_assert(32 % kLanes == 0);
  static int64_t padded(int64_t dim) { return (dim + 31) / 32 * 32; }
  static const uint16_t* scales_of(const void* page, int64_t dim) {
    return reinterpret_cast<const uint16_t*>(static_cast<const int8_t*>(page) + padded(dim) * kPageTokens);
  }
  static uint16_t* scales_of(void* page, int64_t dim) {
    return reinterpret_cast<uint16_t*>(static_cast<int8_t*>(page) + padded(dim) * kPageTokens);
  }

  static Floats key(const void* keys, int64_t k_dim, int64_t d, int64_t t) {
    const Floats codes = load_bytes(static_cast<const int8_t*>(keys) + d * kPageTokens + t);
    return mul(codes, load_half(scales_of(keys, k_dim) + d / 32 * kPageTokens + t));
  }
  static Floats value_up_to(const void* values, int64_t v_dim, int64_t t, int64_t d, int64_t /*n*/) {
    const int64_t at = t * padded(v_dim) + d;
    return mul(load_bytes(static_cast<const int8_t*>(values) + at),
               splat(half_to_float(scales_of(values, v_dim)[at / 32])));
  }

  static void store_key(void* keys, int slot, const float* k, int64_t k_dim) {
    int8_t* codes = static_cast<int8_t*>(keys) + slot;
    uint16_t* scales = scales_of(keys, k_dim) + slot;
    for (int64_t d = 0; d < k_dim; d += 32) {
      const int64_t n = k_dim - d < 32 ? k_dim - d : 32;
      scales[d / 32 * kPageTokens] = encode_q8_0(codes + d * kPageTokens, kPageTokens, k + d, n);
    }
  }
  static void store_value(void* values, int slot, const float* v, int64_t v_dim) {
    int8_t* codes = static_cast<int8_t*>(values) + slot * padded(v_dim);
    uint16_t* scales = scales_of(values, v_dim) + slot * (padded(v_dim) / 32);
    for (int64_t d = 0; d < v_dim; d += 32) {
      scales[d / 32] = encode_q8_0(codes + d, 1, v + d, v_dim - d < 32 ? v_dim - d : 32);
    }
  }
  static void load_key(float* k, const void* keys, int slot, int64_t k_dim) {
    const auto* codes = static_cast<const int8_t*>(keys) + slot;
    const uint16_t* scales = scales_of(keys, k_dim) + slot;
    for (int64_t d = 0; d < k_dim; ++d) {
      k[d] = static_cast<float>(codes[d * kPageTokens]) * half_to_float(scales[d / 32 * kPageTokens]);
    }
  }
  static void load_value(float* v, const void* values, int slot, int64_t v_dim) {
    for_each_vector(v_dim,
                    [=](int64_t d, int64_t n) { store_up_to(v + d, value_up_to(values, v_dim, slot, d, n), n); });
  }
};

using KvF32 = PlainKv<F32Elements>;
using KvF16 = PlainKv<F16Elements>;
using KvBF16 = PlainKv<BF16Elements>;

inline void overlay_kv_types(KvTypeKernels* rows) {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes) \
  *rows++ = {Kv##Name::store_key, Kv##Name::store_value, Kv##Name::load_key, Kv##Name::load_value};
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
}

}  // namespace
}  // namespace hearth::kernels
