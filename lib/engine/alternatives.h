// The most probable tokens of a row of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "hearth/engine.h"

namespace hearth {

/// The `n` highest of `logits`, ties by lower id, with the logarithm of their softmax over all of them. NaN counts as
/// -inf; where nothing is finite there are none.
inline std::vector<TokenAlternative> most_probable(std::span<const float> logits, int32_t n) {
  const auto count = std::min(static_cast<size_t>(std::max(n, 0)), logits.size());
  std::vector<TokenAlternative> best;
  if (count == 0) return best;
  const auto before = [](const TokenAlternative& a, const TokenAlternative& b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
  };
  best.reserve(count + 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    const TokenAlternative next{static_cast<Token>(i), logits[i]};
    if (!std::isfinite(next.logprob) || (best.size() == count && !before(next, best.back()))) continue;
    best.insert(std::upper_bound(best.begin(), best.end(), next, before), next);
    if (best.size() > count) best.pop_back();
  }
  if (best.empty()) return best;
  const double highest = best.front().logprob;
  double sum = 0;
  for (const float logit : logits)
    if (std::isfinite(logit)) sum += std::exp(logit - highest);
  const double log_sum = highest + std::log(sum);
  for (TokenAlternative& entry : best) entry.logprob = static_cast<float>(entry.logprob - log_sum);
  return best;
}

}  // namespace hearth
