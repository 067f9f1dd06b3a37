// Mirostat 1 and 2: truncation under feedback on the surprise of what was drawn.
#include <algorithm>

#include "lib/sample/exact_math.h"
#include "lib/sample/stages.h"

namespace hearth::sample {
namespace {

/// Tokens from which Zipf's exponent is estimated (the paper's m).
constexpr size_t kEstimateTokens = 100;

/// Zipf's exponent by least squares over neighboring pairs (eq. 30 of the paper):
/// sum(t_i b_i) / sum(t_i^2), t_i = log((i+2)/(i+1)), b_i = log(p_i / p_{i+1}).
double zipf_exponent(std::span<const Candidate> best) {
  double sum_tb = 0, sum_tt = 0;
  for (size_t i = 0; i + 1 < best.size(); ++i) {
    const double t = exact_log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    const double b = static_cast<double>(best[i].logit) - static_cast<double>(best[i + 1].logit);
    sum_tb += t * b;
    sum_tt += t * t;
  }
  return sum_tb / sum_tt;
}

}  // namespace

void Mirostat::truncate_v1(Candidates& candidates, int32_t n_vocab) const {
  std::vector<Candidate>& items = candidates.items;
  const size_t m = std::min(items.size(), kEstimateTokens);
  if (m < 2) return;
  if (!candidates.sorted) extend_sorted_prefix(items, 0, m, is_better);
  const double s = zipf_exponent({items.data(), m});
  const double epsilon = s - 1;
  const double k = exact_pow(epsilon * exact_pow(2, mu) / (1 - exact_pow(n_vocab, -epsilon)), 1 / s);
  // Not finite for flat distributions (s = 0 or epsilon = 0): then nothing is cut.
  const double n = static_cast<double>(items.size());
  keep_best(candidates, k < n ? static_cast<size_t>(std::max(k, 1.0)) : items.size());
}

void Mirostat::truncate_v2(Candidates& candidates) const {
  const SoftmaxSum sum = fill_probabilities(candidates);
  const auto surprise = [&](const Candidate& c) {
    return (sum.log_sum - (static_cast<double>(c.logit) - static_cast<double>(sum.max))) * (1.0 / kLn2);
  };
  std::vector<Candidate>& items = candidates.items;
  const bool any = std::any_of(items.begin(), items.end(), [&](const Candidate& c) { return surprise(c) <= mu; });
  if (!any) return keep_best(candidates, 1);
  std::erase_if(items, [&](const Candidate& c) { return surprise(c) > mu; });
}

void Mirostat::observe(double p, float tau, float eta) {
  const double surprise = -exact_log2(std::max(p, 1e-30));
  mu -= eta * static_cast<float>(surprise - tau);
}

}  // namespace hearth::sample
