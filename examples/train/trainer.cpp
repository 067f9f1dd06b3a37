// Steps: shards are taken by threads as they come, gradients are added in the order of the shards.
#include "examples/train/trainer.h"

#include <Eigen/Core>
#include <algorithm>
#include <numeric>

#include "examples/train/initial.h"
#include "examples/train/parallel.h"

namespace train {
namespace {

constexpr uint64_t kValidationStream = uint64_t{1} << 62;  // far from the numbers of training shards

constexpr uint64_t kContinuedStream = uint64_t{1} << 40;
constexpr int64_t kCopyingShare = 20;  // one part in so many of a run

Stage stage_of(const RunOptions& options, int64_t step) {
  const bool copies = !options.continues && step < options.optimizer.steps / kCopyingShare;
  return copies ? Stage::kCopying : Stage::kMixed;
}

}  // namespace

Trainer::Trainer(const RunOptions& options, const ModelSizes& sizes, const hearth::Tokenizer& tokenizer, int n_threads)
    : options_(options),
      layout_(sizes),
      source_(tokenizer, options.seed, options.shard_tokens, sizes.n_ctx),
      optimizer_(layout_, options.optimizer),
      parameters_(initial_parameters(layout_, options.seed, twins_of(tokenizer))),
      networks_(static_cast<size_t>(std::max(1, n_threads)), Network<float>(layout_)),
      gradients_(static_cast<size_t>(options.shards)) {}

bool Trainer::begin_with(const Floats& parameters, const Layout& layout) {
  Floats values = deepened(parameters, layout, layout_, options_.seed);
  if (values.empty()) return false;
  parameters_ = std::move(values);
  return true;
}

StepReport Trainer::step() {
  const size_t n = gradients_.size();
  const uint64_t first = static_cast<uint64_t>(steps_done_) * n + (options_.continues ? kContinuedStream : 0);
  std::vector<double> losses(n), weights(n);
  std::vector<int64_t> tokens(n);
  const Stage stage = stage_of(options_, steps_done_);
  for_each(n, n_threads(), [&](size_t i, size_t thread) {
    Network<float>& network = networks_[thread];
    const Shard shard = source_.make(first + i, stage);
    gradients_[i].assign(parameters_.size(), 0.0f);
    losses[i] = network.forward(parameters_.data(), shard);
    weights[i] = shard.total_weight();
    tokens[i] = static_cast<int64_t>(shard.ids.size());
    network.backward(parameters_.data(), shard, 1.0f, gradients_[i].data());
  });
  const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  Eigen::Map<Eigen::ArrayXf> sum(gradients_[0].data(), layout_.n_parameters);
  for (size_t i = 1; i < n; ++i) sum += Eigen::Map<Eigen::ArrayXf>(gradients_[i].data(), layout_.n_parameters);
  sum *= static_cast<float>(1 / weight);

  StepReport report;
  report.loss = std::accumulate(losses.begin(), losses.end(), 0.0) / weight;
  report.tokens = std::accumulate(tokens.begin(), tokens.end(), int64_t{0});
  report.gradient_norm = optimizer_.step(parameters_, gradients_[0], steps_done_, n_threads());
  ++steps_done_;
  return report;
}

double Trainer::validation_loss(int64_t n) {
  double loss = 0, weight = 0;
  for (int64_t batch = 0; batch < n; ++batch) {
    std::vector<double> losses(gradients_.size()), weights(gradients_.size());
    for_each(losses.size(), n_threads(), [&](size_t i, size_t thread) {
      Network<float>& network = networks_[thread];
      const Shard shard =
          source_.make(kValidationStream + static_cast<uint64_t>(batch) * gradients_.size() + i, Stage::kMixed);
      losses[i] = network.forward(parameters_.data(), shard);
      weights[i] = shard.total_weight();
    });
    loss += std::accumulate(losses.begin(), losses.end(), 0.0);
    weight += std::accumulate(weights.begin(), weights.end(), 0.0);
  }
  return loss / weight;
}

}  // namespace train
