// The update, in one pass over the flat vectors.
#include "examples/train/optimizer.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace train {

double rate_at(const OptimizerOptions& o, int64_t step) {
  if (step < o.warmup) return o.rate * static_cast<double>(step + 1) / static_cast<double>(o.warmup);
  const double span = static_cast<double>(std::max<int64_t>(1, o.steps - o.warmup));
  const double done = std::min(1.0, static_cast<double>(step - o.warmup) / span);
  return o.rate * (o.final_share + (1 - o.final_share) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

AdamW::AdamW(const Layout& layout, const OptimizerOptions& options)
    : layout_(layout),
      options_(options),
      m_(static_cast<size_t>(layout.n_parameters)),
      v_(static_cast<size_t>(layout.n_parameters)) {}

double AdamW::step(Floats& parameters, Floats& gradient, int64_t step) {
  using Array = Eigen::Map<Eigen::ArrayXf>;
  const OptimizerOptions& o = options_;
  double square = 0;
  for (const Tensor& t : layout_.tensors) {
    square += static_cast<double>(Array(gradient.data() + t.offset, t.size()).matrix().squaredNorm());
  }
  const double norm = std::sqrt(square);
  const auto scale = static_cast<float>(norm > o.clip ? o.clip / norm : 1.0);
  const auto rate = static_cast<float>(rate_at(o, step));
  const auto beta1 = static_cast<float>(o.beta1), beta2 = static_cast<float>(o.beta2);
  const auto correct1 = static_cast<float>(1 / (1 - std::pow(o.beta1, static_cast<double>(step + 1))));
  const auto correct2 = static_cast<float>(1 / (1 - std::pow(o.beta2, static_cast<double>(step + 1))));
  for (const Tensor& t : layout_.tensors) {
    Array p(parameters.data() + t.offset, t.size()), g(gradient.data() + t.offset, t.size());
    Array m(m_.data() + t.offset, t.size()), v(v_.data() + t.offset, t.size());
    const float keep = t.is_norm() ? 1.0f : 1.0f - rate * static_cast<float>(o.decay);
    g *= scale;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g.square();
    p = keep * p - rate * (m * correct1) / ((v * correct2).sqrt() + static_cast<float>(o.epsilon));
  }
  return norm;
}

}  // namespace train
