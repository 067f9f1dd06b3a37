// Held-out accuracy of an exported model, measured with the library as any user would run it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "examples/train/corpus.h"
#include "hearth/result.h"

namespace train {

struct Score {
  size_t right = 0, asked = 0;
  double share() const { return asked == 0 ? 0 : static_cast<double>(right) / static_cast<double>(asked); }
};

struct Evaluation {
  Score total;
  std::map<std::string, Score> by_kind;
  std::vector<std::string> mistakes;  ///< "kind: expected | got"
};

/// Greedy answers compared character by character.
hearth::Result<Evaluation> evaluate(const std::string& model_path, const std::vector<HeldOutQuestion>& questions,
                                    int n_threads);

}  // namespace train
