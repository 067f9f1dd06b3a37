// exp, log and pow from IEEE additions and multiplications only, so that a seed draws the same tokens whatever
// the platform's maths library. Relative error below 1e-14 over the range that sampling uses. Compile with
// -ffp-contract=off (the library's setting).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace hearth::sample {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kLn2 = 0.693147180559945309417;

/// e^x. Results below the smallest normal double are 0; NaN gives NaN. Free of branches, so that loops of it vectorize.
inline double exact_exp(double x) {
  constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits, so that n * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest integer in the low bits of the mantissa
  const double clamped = x < -708.0 ? -708.0 : (x > 709.0 ? 709.0 : x);
  const double shifted = clamped * (1.0 / kLn2) + kRound;
  const double n = shifted - kRound;
  const double r = (clamped - n * kLn2High) - n * kLn2Low;
  // Taylor series in Horner form; |r| <= ln2 / 2, so the first term left out is below 7e-15.
  double sum = 1.0;
  for (int i = 11; i >= 1; --i) sum = 1.0 + sum * r * (1.0 / i);
  const double result = sum * std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1023) << 52);
  return x < -708.0 ? 0.0 : (x > 709.0 ? kInfinity : result);
}

/// Natural logarithm of a normal positive number; -inf for 0 and subnormals, NaN for negative numbers and NaN.
inline double exact_log(double x) {
  if (!(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x < std::numeric_limits<double>::min()) return -kInfinity;
  if (x == kInfinity) return x;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);  // [1, 2)
  if (m > 1.41421356237309504880) {
    m *= 0.5;
    ++exponent;
  }
  // log m = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1), |s| < 0.172
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double sum = 0;
  for (int i = 23; i >= 1; i -= 2) sum = sum * s2 + 1.0 / i;
  return static_cast<double>(exponent) * kLn2 + 2 * s * sum;
}

/// x^y for x > 0 (and 0^y = 0 for y > 0).
inline double exact_pow(double x, double y) {
  if (y == 0) return 1;
  if (x == 0) return y > 0 ? 0 : kInfinity;
  return exact_exp(y * exact_log(x));
}

inline double exact_log2(double x) {
  return exact_log(x) * (1.0 / kLn2);
}

}  // namespace hearth::sample
