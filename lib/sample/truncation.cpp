// Stages that narrow the candidates: top-n-sigma, top-k, typical, top-p, min-p, XTC.
#include <algorithm>
#include <cmath>

#include "lib/sample/exact_math.h"
#include "lib/sample/stages.h"

namespace hearth::sample {
void top_n_sigma(Candidates& candidates, float n) {
  std::vector<Candidate>& items = candidates.items;
  if (items.size() <= 1) return;
  double sum = 0;
  float max = items.front().logit;
  for (const Candidate& c : items) {
    sum += c.logit;
    max = std::max(max, c.logit);
  }
  const double mean = sum / static_cast<double>(items.size());
  double squares = 0;
  for (const Candidate& c : items) squares += (c.logit - mean) * (c.logit - mean);
  const double sigma = std::sqrt(squares / static_cast<double>(items.size()));  // exactly rounded in IEEE
  const double limit = max - n * sigma;
  std::erase_if(items, [&](const Candidate& c) { return c.logit < limit; });
}

void top_k(Candidates& candidates, int32_t k) {
  if (k > 0) keep_best(candidates, static_cast<size_t>(k));
}

void typical(Candidates& candidates, float p, size_t min_keep, std::vector<std::pair<float, Candidate>>& scratch) {
  const SoftmaxSum sum = fill_probabilities(candidates);
  const double expected = entropy(candidates, sum);
  scratch.clear();
  for (const Candidate& c : candidates.items) {
    const double surprise = sum.log_sum - (static_cast<double>(c.logit) - static_cast<double>(sum.max));
    scratch.push_back({static_cast<float>(std::abs(surprise - expected)), c});
  }
  const auto closer = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : is_better(a.second, b.second);
  };
  double mass = 0;
  size_t n_kept = 0;
  for (size_t n_sorted = 0; n_sorted < scratch.size();) {
    const size_t n = next_prefix(n_sorted, scratch.size());
    extend_sorted_prefix(scratch, n_sorted, n, closer);
    n_sorted = n;
    while (n_kept < n && !(mass > p && n_kept >= min_keep)) mass += scratch[n_kept++].second.p;
    if (n_kept < n) break;
  }
  candidates.items.clear();
  for (size_t i = 0; i < n_kept; ++i) candidates.items.push_back(scratch[i].second);
  candidates.sorted = false;
  candidates.sort();
}

void top_p(Candidates& candidates, float p, size_t min_keep) {
  fill_probabilities(candidates);
  std::vector<Candidate>& items = candidates.items;
  double mass = 0;
  size_t n_kept = 0;
  for (size_t n_sorted = 0; n_sorted < items.size();) {
    const size_t n = candidates.sorted ? items.size() : next_prefix(n_sorted, items.size());
    if (!candidates.sorted) extend_sorted_prefix(items, n_sorted, n, is_better);
    n_sorted = n;
    while (n_kept < n && !(n_kept > 0 && mass >= p && n_kept >= min_keep)) mass += items[n_kept++].p;
    if (n_kept < n) break;
  }
  items.resize(n_kept);
  candidates.sorted = true;
}

void min_p(Candidates& candidates, float p, size_t min_keep) {
  std::vector<Candidate>& items = candidates.items;
  float max = items.front().logit;
  for (const Candidate& c : items) max = std::max(max, c.logit);
  const double limit = static_cast<double>(max) + exact_log(std::min(p, 1.0f));  // p_i >= p p_max, in logits
  const auto passes = [&](const Candidate& c) { return c.logit >= limit; };
  const size_t n_passing = static_cast<size_t>(std::count_if(items.begin(), items.end(), passes));
  if (n_passing < min_keep) return keep_best(candidates, min_keep);
  std::erase_if(items, [&](const Candidate& c) { return !passes(c); });
}

void xtc(Candidates& candidates, float probability, float threshold, size_t min_keep, Rng& rng) {
  std::vector<Candidate>& items = candidates.items;
  if (probability <= 0 || threshold > 0.5f || items.size() < 2) return;
  if (rng.uniform() >= probability) return;
  fill_probabilities(candidates);
  size_t n_above = 0;
  const Candidate* least = nullptr;
  for (const Candidate& c : items) {
    if (c.p < threshold) continue;
    ++n_above;
    if (!least || is_better(*least, c)) least = &c;
  }
  if (n_above < 2 || items.size() - (n_above - 1) < min_keep) return;
  const Token kept = least->id;
  std::erase_if(items, [&](const Candidate& c) { return c.p >= threshold && c.id != kept; });
}

}  // namespace hearth::sample
