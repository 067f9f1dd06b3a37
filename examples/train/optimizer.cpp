// AdamW (Loshchilov and Hutter 2019) and Muon (Jordan et al. 2024; the scale of its update after Liu et al. 2025).
#include "examples/train/optimizer.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "examples/train/parallel.h"

namespace train {
namespace {

using Array = Eigen::Map<Eigen::ArrayXf>;
using ConstArray = Eigen::Map<const Eigen::ArrayXf>;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The nearest matrix with all singular values near 1, by five steps of Newton and Schulz's iteration with a quintic
/// polynomial whose slope at 0 is steep: small singular values rise fast, and end between 0.7 and 1.2.
RowMajor orthogonal(RowMajor x) {
  const bool is_tall = x.rows() > x.cols();
  if (is_tall) x = x.transpose().eval();
  x /= x.norm() + 1e-7f;
  RowMajor gram, polynomial;
  for (int i = 0; i < 5; ++i) {
    gram.noalias() = x * x.transpose();
    polynomial.noalias() = 2.0315f * gram * gram;
    polynomial += -4.7750f * gram;
    x = (3.4445f * x + polynomial * x).eval();
  }
  if (is_tall) x = x.transpose().eval();
  return x;
}

}  // namespace

double rate_share(const OptimizerOptions& o, int64_t step) {
  if (step < o.warmup) return static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  const double span = static_cast<double>(std::max<int64_t>(1, o.steps - o.warmup));
  const double done = std::min(1.0, static_cast<double>(step - o.warmup) / span);
  return o.final_share + (1 - o.final_share) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

Optimizer::Optimizer(const Layout& layout, const OptimizerOptions& options)
    : layout_(layout),
      options_(options),
      m_(static_cast<size_t>(layout.n_parameters)),
      v_(static_cast<size_t>(layout.n_parameters)) {}

double Optimizer::step(Floats& parameters, Floats& gradient, int64_t step, int n_threads) {
  double square = 0;
  for (const Tensor& t : layout_.tensors) {
    square += static_cast<double>(Array(gradient.data() + t.offset, t.size()).matrix().squaredNorm());
  }
  const double norm = std::sqrt(square);
  const auto scale = static_cast<float>(norm > options_.clip ? options_.clip / norm : 1.0);
  for_each(layout_.tensors.size(), n_threads, [&](size_t i, size_t) {
    const Tensor& t = layout_.tensors[i];
    float* p = parameters.data() + t.offset;
    float* g = gradient.data() + t.offset;
    Array(g, t.size()) *= scale;
    is_muon(t) ? muon(t, p, g, step) : adamw(t, p, g, step);
  });
  return norm;
}

bool Optimizer::is_muon(const Tensor& tensor) const {
  return options_.matrix_rate > 0 && !tensor.is_norm() && tensor.offset != layout_.embedding;
}

void Optimizer::adamw(const Tensor& t, float* parameters, const float* gradient, int64_t step) {
  const OptimizerOptions& o = options_;
  const auto rate = static_cast<float>(o.rate * rate_share(o, step));
  const auto beta1 = static_cast<float>(o.beta1), beta2 = static_cast<float>(o.beta2);
  const auto correct1 = static_cast<float>(1 / (1 - std::pow(o.beta1, static_cast<double>(step + 1))));
  const auto correct2 = static_cast<float>(1 / (1 - std::pow(o.beta2, static_cast<double>(step + 1))));
  const float keep = t.is_norm() ? 1.0f : 1.0f - rate * static_cast<float>(o.decay);
  Array p(parameters, t.size()), m(m_.data() + t.offset, t.size()), v(v_.data() + t.offset, t.size());
  const ConstArray g(gradient, t.size());
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * g.square();
  p = keep * p - rate * (m * correct1) / ((v * correct2).sqrt() + static_cast<float>(o.epsilon));
}

void Optimizer::muon(const Tensor& t, float* parameters, float* gradient, int64_t step) {
  const OptimizerOptions& o = options_;
  const auto rate = static_cast<float>(o.matrix_rate * rate_share(o, step));
  const auto momentum = static_cast<float>(o.momentum);
  Array p(parameters, t.size()), g(gradient, t.size()), m(m_.data() + t.offset, t.size());
  m = momentum * m + g;
  g += momentum * m;  // Nesterov's way
  const RowMajor update = orthogonal(Eigen::Map<const RowMajor>(gradient, t.rows, t.cols));
  // An orthogonal matrix has entries of 1 / sqrt(larger side); this makes them as large as AdamW's, about 0.2.
  const float size = 0.2f * std::sqrt(static_cast<float>(std::max(t.rows, t.cols)));
  p = (1 - rate * static_cast<float>(o.decay)) * p - rate * size * ConstArray(update.data(), t.size());
}

}  // namespace train
