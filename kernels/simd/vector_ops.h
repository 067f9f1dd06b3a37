// Elementwise operations, reductions and gates on rows of floats, in the vocabulary of <isa>/simd.h.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/simd/math.h"
#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

inline void add_rows(float* y, const float* x, int64_t n) {
  for_each_vector(
      n, [=](int64_t i, int64_t m) { store_up_to(y + i, add(load_up_to(y + i, m), load_up_to(x + i, m)), m); });
}

inline void scale_row(float* y, float s, int64_t n) {
  const Floats factor = splat(s);
  for_each_vector(n, [=](int64_t i, int64_t m) { store_up_to(y + i, mul(load_up_to(y + i, m), factor), m); });
}

inline void axpy_rows(float* y, float a, const float* x, int64_t n) {
  const Floats factor = splat(a);
  for_each_vector(
      n, [=](int64_t i, int64_t m) { store_up_to(y + i, fma(factor, load_up_to(x + i, m), load_up_to(y + i, m)), m); });
}

inline float dot_vectors(const float* x, const float* y, int64_t n) {
  return sum_row(
      n, [=](int64_t i, int64_t m, Floats sum) { return fma(load_up_to(x + i, m), load_up_to(y + i, m), sum); });
}

inline void soft_cap_row(float* y, float cap, int64_t n) {
  const Floats c = splat(cap);
  for_each_vector(n, [=](int64_t i, int64_t m) { store_up_to(y + i, mul(c, tanh(div(load_up_to(y + i, m), c))), m); });
}

/// Butterflies of any distance by vectors: every round takes sums and differences of neighbors and sorts sums before
/// differences, which turns the bits of an element's index by one; after all rounds each is where it was.
inline void hadamard_block(float* y, int64_t size) {
  alignas(64) float other[kMostHadamard];
  float *from = y, *to = other;
  for (int64_t half = 1; half < size; half *= 2) {
    for (int64_t i = 0; i < size; i += 2 * kLanes) {
      const Floats a = load(from + i), b = load(from + i + kLanes);
      const Floats even = even_lanes(a, b), odd = odd_lanes(a, b);
      store(to + i / 2, add(even, odd));
      store(to + size / 2 + i / 2, sub(even, odd));
    }
    float* swap = from;
    from = to;
    to = swap;
  }
  const Floats norm = splat(static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(size))));
  for (int64_t i = 0; i < size; i += kLanes) store(y + i, mul(load(from + i), norm));
}

template <auto kSmall>
inline void hadamard_row(float* y, int64_t n, int64_t size) {
  if (size < 2 * kLanes) return kSmall(y, n, size);
  for (int64_t i = 0; i < n; i += size) hadamard_block(y + i, size);
}

inline float max_of_row(const float* y, int64_t n) {
  Floats largest = splat(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) largest = max(load(y + i), largest);  // skips NaN
  float result = max_lanes(largest);
  for (; i < n; ++i) result = y[i] > result ? y[i] : result;
  return result;
}

inline void softmax_row(float* y, int64_t n) {
  const Floats largest = splat(max_of_row(y, n));
  const float sum = sum_row(n, [=](int64_t i, int64_t m, Floats partial) {
    Floats e = exp(sub(load_up_to(y + i, m), largest));
    if (m < kLanes) e = select(first_lanes(m), e, zero());
    store_up_to(y + i, e, m);
    return add(partial, e);
  });
  const Floats divisor = splat(sum);
  for_each_vector(n, [=](int64_t i, int64_t m) { store_up_to(y + i, div(load_up_to(y + i, m), divisor), m); });
}

template <Gate kGate>
inline Floats gated(Floats g, Floats u) {
  constexpr float kTwoSqrt2OverPi = 1.59576912f;
  if constexpr (kGate == Gate::kSilu) return mul(mul(g, sigmoid(g)), u);
  if constexpr (kGate == Gate::kGelu) {  // 0.5 (1 + tanh z) = sigmoid(2 z)
    const Floats cubic = fma(mul(mul(g, g), g), splat(0.044715f), g);
    return mul(mul(g, sigmoid(mul(cubic, splat(kTwoSqrt2OverPi)))), u);
  }
  if constexpr (kGate == Gate::kReluSquared) {
    const Floats r = max(zero(), g);
    return mul(mul(r, r), u);
  }
  const Floats x = min(splat(7.0f), g);
  return mul(mul(x, sigmoid(mul(x, splat(1.702f)))), u);
}

template <Gate kGate>
inline void gate_row(float* y, const float* g, const float* u, int64_t n) {
  const Floats one = splat(1.0f), seven = splat(7.0f);
  for_each_vector(n, [=](int64_t i, int64_t m) {
    Floats factor = one;
    if (u != nullptr) {
      factor = load_up_to(u + i, m);
      if constexpr (kGate == Gate::kSwigluClamped) factor = add(min(seven, max(splat(-7.0f), factor)), one);
    }
    store_up_to(y + i, gated<kGate>(load_up_to(g + i, m), factor), m);
  });
}

inline void gate_mul_row(float* y, const float* g, const float* u, int64_t n, Gate gate) {
  switch (gate) {
    case Gate::kSilu: return gate_row<Gate::kSilu>(y, g, u, n);
    case Gate::kGelu: return gate_row<Gate::kGelu>(y, g, u, n);
    case Gate::kReluSquared: return gate_row<Gate::kReluSquared>(y, g, u, n);
    case Gate::kSwigluClamped: return gate_row<Gate::kSwigluClamped>(y, g, u, n);
  }
}

}  // namespace
}  // namespace hearth::kernels
