// Arrays of float elements (f32, f16, bf16) as vectors of floats, in the vocabulary of <isa>/simd.h. The `_n` functions
// touch n < kLanes elements only; lanes beyond are 0.
#pragma once

#include "kernels/half.h"
#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

struct F32Elements {
  using Stored = float;
  static Floats load(const Stored* p) { return kernels::load(p); }
  static Floats load_n(const Stored* p, int64_t n) { return kernels::load_n(p, n); }
  static void store_up_to(Stored* p, Floats x, int64_t n) { kernels::store_up_to(p, x, n); }
};

struct F16Elements {
  using Stored = uint16_t;
  static Floats load(const Stored* p) { return load_half(p); }
  static Floats load_n(const Stored* p, int64_t n) { return load_half_n(p, n); }
  static void store_up_to(Stored* p, Floats x, int64_t n) { store_half_n(p, x, n); }
};

struct BF16Elements {
  using Stored = uint16_t;
  static Floats load(const Stored* p) { return load_bf16(p); }
  static Floats load_n(const Stored* p, int64_t n) { return load_bf16_n(p, n); }
  static void store_up_to(Stored* p, Floats x, int64_t n) {
    alignas(64) float lanes[kLanes];
    store(lanes, x);
    for (int64_t i = 0; i < n; ++i) p[i] = float_to_bf16(lanes[i]);
  }
};

template <typename Elements>
inline Floats load_elements_up_to(const typename Elements::Stored* p, int64_t n) {
  return n >= kLanes ? Elements::load(p) : Elements::load_n(p, n);
}

}  // namespace
}  // namespace hearth::kernels
