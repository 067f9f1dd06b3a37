// Backward passes against central differences in double precision, for every parameter group.
#include <gtest/gtest.h>

#include <cmath>

#include "examples/train/network.h"
#include "hearth/sampler.h"

namespace train {
namespace {

constexpr ModelSizes kTiny{
    .n_vocab = 11, .d_model = 12, .n_layers = 2, .n_heads = 4, .n_kv_heads = 2, .head_dim = 4, .d_ff = 10, .n_ctx = 16};

/// Three documents, one of a single token; weights of all kinds.
Shard tiny_shard() {
  return {{1, 5, 3, 9, 2, 7, 0, 10, 4, 4},
          {5, 3, 9, 2, 0, 0, 10, 4, 4, 0},
          {1, 0.1f, 1, 1, 0, 0, 1, 0.5f, 1, 0},
          {0, 5, 6, 10}};
}

Aligned<double> tiny_weights(const Layout& layout) {
  hearth::Rng rng(7);
  Aligned<double> weights(static_cast<size_t>(layout.n_parameters));
  for (double& w : weights) w = rng.uniform() - 0.4;  // norms too: away from one
  return weights;
}

TEST(TrainGradient, MatchesFiniteDifferencesInEveryTensor) {
  const Layout layout(kTiny);
  const Shard shard = tiny_shard();
  Aligned<double> weights = tiny_weights(layout), gradient(weights.size());
  Network<double> network(layout);
  network.forward(weights.data(), shard);
  network.backward(weights.data(), shard, 1.0, gradient.data());
  constexpr double kStep = 1e-5;
  for (const Tensor& tensor : layout.tensors) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < tensor.size(); i += std::max<int64_t>(1, tensor.size() / 40)) {
      const auto at = static_cast<size_t>(tensor.offset + i);
      const double kept = weights[at];
      weights[at] = kept + kStep;
      const double up = network.forward(weights.data(), shard);
      weights[at] = kept - kStep;
      const double down = network.forward(weights.data(), shard);
      weights[at] = kept;
      const double expected = (up - down) / (2 * kStep);
      error += (gradient[at] - expected) * (gradient[at] - expected);
      size += expected * expected;
    }
    EXPECT_GT(size, 0) << tensor.name;
    EXPECT_LT(std::sqrt(error / size), 1e-3) << tensor.name;
  }
}

TEST(TrainGradient, FloatAgreesWithDouble) {
  const Layout layout(kTiny);
  const Shard shard = tiny_shard();
  const Aligned<double> weights = tiny_weights(layout);
  const Aligned<float> weights_f(weights.begin(), weights.end());
  Aligned<double> gradient(weights.size());
  Aligned<float> gradient_f(weights.size());
  Network<double> network(layout);
  Network<float> network_f(layout);
  EXPECT_NEAR(network.forward(weights.data(), shard), network_f.forward(weights_f.data(), shard), 1e-4);
  network.backward(weights.data(), shard, 1.0, gradient.data());
  network_f.backward(weights_f.data(), shard, 1.0f, gradient_f.data());
  double error = 0, size = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    const double difference = static_cast<double>(gradient_f[i]) - gradient[i];
    error += difference * difference;
    size += gradient[i] * gradient[i];
  }
  EXPECT_LT(std::sqrt(error / size), 1e-4);
}

TEST(TrainGradient, DocumentsDoNotSeeEachOther) {
  const Layout layout(kTiny);
  const Aligned<double> weights = tiny_weights(layout);
  Network<double> network(layout);
  Shard shard = tiny_shard();
  network.forward(weights.data(), shard);
  const Matrix<double> before = network.logits();
  shard.ids[0] = 8;  // of the first document
  network.forward(weights.data(), shard);
  EXPECT_GT((network.logits().topRows(5) - before.topRows(5)).norm(), 0.0);
  EXPECT_EQ((network.logits().bottomRows(5) - before.bottomRows(5)).norm(), 0.0);
}

}  // namespace
}  // namespace train
