// How far two correct evaluations of the same formula in 32-bit floats may be apart: bounds for tests, from the number
// of additions and the unit roundoff alone. What a machine happens to give is never a bound.
#pragma once

#include <algorithm>
#include <cmath>

namespace hearth::testing {

/// Unit roundoff u of float: one operation is off by at most u times its result.
inline constexpr double kRoundoff = 0x1p-24;
/// Of the 16-bit types of KV entries: 11 and 8 significant bits.
inline constexpr double kF16Roundoff = 0x1p-11;
inline constexpr double kBF16Roundoff = 0x1p-8;

/// Error of a sum of n products in any order, relative to the sum of their magnitudes, element by element: 6 sqrt(n) u.
/// Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41 (2019), theorem
/// 3.1 with lambda = 6: rounding errors of mean zero stay below it but for a chance of 2n exp(-18). The worst case is n
/// u.
inline double sum_error(double n) {
  return 6 * std::sqrt(std::max(n, 1.0)) * kRoundoff;
}

/// Difference of two evaluations of such a sum: each has its own error.
inline double sum_difference(double n) {
  return 2 * sum_error(n);
}

/// Relative difference (of 2-norms) of two evaluations of a chain of `n_stages` stages, each a sum of at most `n`
/// terms. Partial sums of terms with random signs are no larger, in the mean square, than the sum; each of the n
/// additions rounds one of them, so that one stage is off by at most u sqrt(n) of its norm. Stages hand relative errors
/// on (norms, gates and residual sums neither lose nor multiply them much), and in the worst case these point the same
/// way, in both runs.
inline double chain_difference(double n_stages, double n) {
  return 2 * n_stages * std::sqrt(n) * kRoundoff;
}

/// The same as a relative mean square error.
inline double chain_nmse(double n_stages, double n) {
  const double difference = chain_difference(n_stages, n);
  return difference * difference;
}

/// Stages of a transformer: in a layer two norms, query, key and value, scores, softmax, weighted sum, output, gate and
/// up, activation, down, and two residual additions; besides, the embedding, the last norm and the output matrix.
inline double model_stages(double n_layers) {
  return 12 * n_layers + 3;
}

/// Relative mean square error when keys and values are rounded to entries of a type with roundoff u: two stages a
/// layer.
inline double entries_nmse(double n_layers, double u) {
  return (2 * n_layers * u) * (2 * n_layers * u);
}

}  // namespace hearth::testing
