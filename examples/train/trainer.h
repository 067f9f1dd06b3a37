// Trainer: batches of shards, their gradients on several threads, the optimizer, checkpoints. Results do not depend on
// the number of threads, and a run that was interrupted ends exactly where it would have ended without.
#pragma once

#include <string>
#include <vector>

#include "examples/train/network.h"
#include "examples/train/optimizer.h"
#include "examples/train/shards.h"

namespace train {

/// All that decides the result of a run; kept in its checkpoints.
struct RunOptions {
  std::string preset = "base";
  int64_t n_vocab = 2048;  ///< at most
  int64_t shards = 8;      ///< of a batch: so many gradients are computed side by side
  int64_t shard_tokens = 1024;
  uint64_t seed = 1;
  bool continues = false;  ///< began with the parameters of another run: needs no exercise in copying
  OptimizerOptions optimizer{};

  std::string to_json() const;
  /// False for text that is not of to_json().
  static bool from_json(const std::string& text, RunOptions& options);
};

struct StepReport {
  double loss = 0;           ///< mean over weights
  double gradient_norm = 0;  ///< before clipping
  int64_t tokens = 0;
};

class Trainer {
 public:
  Trainer(const RunOptions& options, const ModelSizes& sizes, const hearth::Tokenizer& tokenizer, int n_threads);
  /// Begins with the parameters of another model, of as many layers or fewer; false when its sizes do not fit.
  bool begin_with(const Floats& parameters, const Layout& layout);

  StepReport step();
  /// Mean loss over `n` batches of documents that no step sees.
  double validation_loss(int64_t n);

  int64_t steps_done() const { return steps_done_; }
  const Layout& layout() const { return layout_; }
  const Floats& parameters() const { return parameters_; }

  /// The file appears complete or not at all.
  bool save(const std::string& path);
  /// False when there is no such file, or it is of other options or sizes; then nothing changes.
  bool load(const std::string& path);

 private:
  int n_threads() const { return static_cast<int>(networks_.size()); }

  RunOptions options_;
  Layout layout_;
  ShardSource source_;
  Optimizer optimizer_;
  Floats parameters_;
  std::vector<Network<float>> networks_;  // one a thread
  std::vector<Floats> gradients_;         // one a shard
  int64_t steps_done_ = 0;
};

/// The options and parameters of a checkpoint, without the rest.
bool read_checkpoint(const std::string& path, RunOptions& options, Floats& parameters);

}  // namespace train
