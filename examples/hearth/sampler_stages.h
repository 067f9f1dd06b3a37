// What each stage of a sampler's chain leaves of the candidates, as `hearth explain` shows it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hearth/sampler.h"

namespace hearth_tool {

/// The candidates after one stage, with probabilities, best first.
struct StageResult {
  std::string name;     ///< "top_k"; "logits" for what the model itself gave
  std::string setting;  ///< "40"; may be empty
  std::vector<hearth::Candidate> candidates;
};

/// A chain for each stage that is on: with the settings of all up to it, and those that follow at their neutral values.
/// The last is the whole chain, so that what it chooses is what `hearth run` would with the same settings.
class SamplerStages {
 public:
  static hearth::Result<SamplerStages> create(int32_t n_logits, const hearth::SamplerOptions& options,
                                              const hearth::Tokenizer& tokenizer);
  /// One step: fills results() and returns the token of the whole chain.
  hearth::Result<hearth::Token> sample(std::span<const float> logits);
  /// Tells every chain a token that was taken.
  void accept(hearth::Token id);
  const std::vector<StageResult>& results() const { return results_; }

 private:
  struct Chain {
    hearth::Sampler sampler;
    std::unique_ptr<hearth::Candidates> seen;  ///< what its last stage got
  };
  std::vector<Chain> chains_;
  std::vector<StageResult> results_;
};

}  // namespace hearth_tool
