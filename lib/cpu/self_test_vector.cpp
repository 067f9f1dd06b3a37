// Checks of the kernels for rows of floats.
#include <algorithm>
#include <cmath>

#include "lib/cpu/self_test.h"

namespace hearth::kernels {
namespace {

constexpr int64_t kSizes[] = {1, 7, 16, 33, 64, 100, 259};

/// Largest difference between two rows in units of the larger row's largest element.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0, largest = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(double{b[i]}));
    const double d = std::fabs(double{a[i]} - double{b[i]});
    worst = d > worst || std::isnan(d) ? d : worst;
  }
  return worst / largest;
}

/// op(table, y, x, w, n) writes y; the worst difference over all sizes.
template <typename Op>
double compare(const KernelTable& isa, const KernelTable& reference, Op op) {
  double worst = 0;
  for (const int64_t n : kSizes) {
    const auto count = static_cast<size_t>(n);
    const std::vector<float> y = sample_floats(count, 1, 2.0f), x = sample_floats(count, 2, 2.0f);
    const std::vector<float> w = sample_floats(2 * count, 3, 1.0f);
    std::vector<float> actual = y, expected = y;
    op(isa, actual.data(), x.data(), w.data(), n);
    op(reference, expected.data(), x.data(), w.data(), n);
    const double d = difference(actual, expected);
    worst = d > worst || std::isnan(d) ? d : worst;
  }
  return worst;
}

constexpr double kLimit = 3e-6;

}  // namespace

void check_vector_kernels(std::vector<KernelCheck>& checks, const KernelTable& isa, const KernelTable& reference) {
  using T = const KernelTable&;
  using F = const float*;
  const auto check = [&](const char* name, auto op) {
    report_check(checks, isa, name, compare(isa, reference, op), kLimit);
  };
  check("rms_norm", [](T t, float* y, F x, F w, int64_t n) { t.rms_norm(y, x, w, n, 1e-5f); });
  check("layer_norm", [](T t, float* y, F x, F w, int64_t n) { t.layer_norm(y, x, w, w + n, n, 1e-5f); });
  check("rope_pairs", [](T t, float* y, F, F w, int64_t n) { t.rope_pairs(y, w, n / 2 * 2); });
  check("rope_halves", [](T t, float* y, F, F w, int64_t n) { t.rope_halves(y, w, n / 2 * 2); });
  constexpr const char* kGateNames[] = {"gate silu", "gate gelu", "gate relu_squared", "gate swiglu_clamped"};
  for (int gate = 0; gate < 4; ++gate) {
    check(kGateNames[gate],
          [gate](T t, float* y, F x, F w, int64_t n) { t.gate_mul(y, x, w, n, static_cast<Gate>(gate)); });
  }
  check("add", [](T t, float* y, F x, F, int64_t n) { t.add(y, x, n); });
  check("scale", [](T t, float* y, F, F, int64_t n) { t.scale(y, 0.37f, n); });
  check("axpy", [](T t, float* y, F x, F, int64_t n) { t.axpy(y, 0.37f, x, n); });
  check("dot", [](T t, float* y, F x, F, int64_t n) {
    const float product = t.dot(y, x, n);
    std::fill_n(y, n, 0.0f);
    y[0] = product + static_cast<float>(4 * n);  // beside the sum of magnitudes, about 4 n
  });
  check("hadamard", [](T t, float* y, F, F, int64_t n) { t.hadamard(y, n / 64 * 64, 64); });
  check("soft_cap", [](T t, float* y, F, F, int64_t n) { t.soft_cap(y, 3.0f, n); });
  check("softmax", [](T t, float* y, F, F, int64_t n) { t.softmax(y, n); });
}

}  // namespace hearth::kernels
