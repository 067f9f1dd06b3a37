// Elementary functions on vectors of floats, accurate to a few units in the last place. Written in the vocabulary
// of <isa>/simd.h.
// Polynomials of exp and tanh: S. Moshier, Cephes Mathematical Library (expf, tanhf).
#pragma once

#include "kernels/simd/vectors.h"

namespace hearth::kernels {
namespace {

/// e^x: 0 and infinity beyond the range, subnormals kept, NaN stays NaN.
inline Floats exp(Floats x) {
  x = max(splat(-104.0f), min(splat(89.0f), x));  // NaN is the second operand of both
  const Floats n = round_even(mul(x, splat(1.44269504f)));
  Floats r = fnma(n, splat(0.693359375f), x);  // ln 2 in two parts, the first exact in products with n
  r = fnma(n, splat(-2.12194440e-4f), r);
  Floats p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  p = fma(p, r, splat(5.0000001201e-1f));
  const Floats one = splat(1.0f);
  return scale_by_power(fma(mul(p, r), r, add(r, one)), n);
}

/// 1 / (1 + e^-x)
inline Floats sigmoid(Floats x) {
  const Floats one = splat(1.0f);
  return div(one, add(one, exp(sub(zero(), x))));
}

inline Floats tanh(Floats x) {
  const Floats a = abs(x), z = mul(x, x);
  Floats p = splat(-5.70498872745e-3f);
  p = fma(p, z, splat(2.06390887954e-2f));
  p = fma(p, z, splat(-5.37397155531e-2f));
  p = fma(p, z, splat(1.33314422036e-1f));
  p = fma(p, z, splat(-3.33332819422e-1f));
  const Floats small = fma(mul(p, z), x, x);
  const Floats one = splat(1.0f);
  const Floats e = exp(add(a, a));
  const Floats large = copy_sign(sub(one, div(splat(2.0f), add(e, one))), x);
  return select(less(a, splat(0.625f)), small, large);
}

}  // namespace
}  // namespace hearth::kernels
