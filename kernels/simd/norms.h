// Norms and rotary embedding of one row, in the vocabulary of <isa>/simd.h.
#pragma once

#include "kernels/simd/rows.h"

namespace hearth::kernels {
namespace {

inline void rms_norm_row(float* y, const float* x, const float* w, int64_t n, float eps) {
  const float squares = sum_row(n, [=](int64_t i, int64_t m, Floats sum) {
    const Floats v = load_up_to(x + i, m);
    return fma(v, v, sum);
  });
  const float mean = squares / static_cast<float>(n);
  const Floats inverse = splat(1.0f / __builtin_sqrtf(mean + eps));
  for_each_vector(n, [=](int64_t i, int64_t m) {
    Floats v = mul(load_up_to(x + i, m), inverse);
    if (w != nullptr) v = mul(v, load_up_to(w + i, m));
    store_up_to(y + i, v, m);
  });
}

inline void layer_norm_row(float* y, const float* x, const float* w, const float* b, int64_t n, float eps) {
  const float sum = sum_row(n, [=](int64_t i, int64_t m, Floats s) { return add(load_up_to(x + i, m), s); });
  const Floats mean = splat(sum / static_cast<float>(n));
  const float squares = sum_row(n, [=](int64_t i, int64_t m, Floats s) {
    Floats v = sub(load_up_to(x + i, m), mean);
    if (m < kLanes) v = select(first_lanes(m), v, zero());
    return fma(v, v, s);
  });
  const Floats inverse = splat(1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + eps));
  for_each_vector(n, [=](int64_t i, int64_t m) {
    Floats v = mul(sub(load_up_to(x + i, m), mean), inverse);
    if (w != nullptr) v = mul(v, load_up_to(w + i, m));
    if (b != nullptr) v = add(v, load_up_to(b + i, m));
    store_up_to(y + i, v, m);
  });
}

/// (a, b) -> (a cos - b sin, a sin + b cos)
inline void rotate(Floats* a, Floats* b, Floats c, Floats s) {
  const Floats turned = fnma(*b, s, mul(*a, c));
  *b = fma(*b, c, mul(*a, s));
  *a = turned;
}
inline void rotate_one(float* a, float* b, float c, float s) {
  const float turned = *a * c - *b * s;
  *b = *a * s + *b * c;
  *a = turned;
}

inline void rope_pairs_row(float* x, const float* cs, int64_t n_rot) {
  const int64_t n = n_rot & ~int64_t{1};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Floats x0 = load(x + i), x1 = load(x + i + kLanes);
    const Floats c0 = load(cs + i), c1 = load(cs + i + kLanes);
    Floats a = even_lanes(x0, x1), b = odd_lanes(x0, x1), low, high;
    rotate(&a, &b, even_lanes(c0, c1), odd_lanes(c0, c1));
    interleave(a, b, &low, &high);
    store(x + i, low);
    store(x + i + kLanes, high);
  }
  for (; i < n; i += 2) rotate_one(x + i, x + i + 1, cs[i], cs[i + 1]);
}

inline void rope_halves_row(float* x, const float* cs, int64_t n_rot) {
  const int64_t half = n_rot / 2;
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Floats c0 = load(cs + 2 * i), c1 = load(cs + 2 * i + kLanes);
    Floats a = load(x + i), b = load(x + half + i);
    rotate(&a, &b, even_lanes(c0, c1), odd_lanes(c0, c1));
    store(x + i, a);
    store(x + half + i, b);
  }
  for (; i < half; ++i) rotate_one(x + i, x + half + i, cs[2 * i], cs[2 * i + 1]);
}

}  // namespace
}  // namespace hearth::kernels
