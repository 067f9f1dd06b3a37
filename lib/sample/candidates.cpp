// The working set: gathering it from logits, order, softmax, drawing.
#include <algorithm>
#include <limits>

#include "lib/sample/exact_math.h"
#include "lib/sample/stages.h"

namespace hearth {

void Candidates::sort() {
  if (!sorted) std::sort(items.begin(), items.end(), sample::is_better);
  sorted = true;
}

void Candidates::softmax() {
  sort();
  if (!items.empty()) sample::fill_probabilities(*this);
}

namespace sample {
namespace {

constexpr float kFloatInfinity = std::numeric_limits<float>::infinity();

/// Logits looked at together; most strides hold nothing of interest.
constexpr size_t kStride = 64;

bool any_above(std::span<const float> logits, size_t begin, size_t end, float threshold) {
  int any = 0;
  if (end - begin == kStride) {  // a constant count vectorizes
    for (size_t i = 0; i < kStride; ++i) any |= logits[begin + i] > threshold ? 1 : 0;
    return any != 0;
  }
  for (size_t i = begin; i < end; ++i) any |= logits[i] > threshold ? 1 : 0;
  return any != 0;
}

bool has_infinity(std::span<const float> logits) {
  int any = 0;
  for (float logit : logits) any |= logit == kFloatInfinity ? 1 : 0;
  return any != 0;
}

/// The k largest of `logits` that are > -inf, sorted.
void gather_best(std::vector<Candidate>& items, std::span<const float> logits, size_t k) {
  const size_t limit = 2 * k + 64;  // when it is reached, only the best k stay
  float threshold = -kFloatInfinity;
  const auto cut = [&] {
    std::nth_element(items.begin(), items.begin() + static_cast<ptrdiff_t>(k) - 1, items.end(), is_better);
    items.resize(k);
    threshold = items.back().logit;  // a later token must exceed it: ties go to the lower id
  };
  for (size_t begin = 0; begin < logits.size(); begin += kStride) {
    const size_t end = std::min(begin + kStride, logits.size());
    if (!any_above(logits, begin, end, threshold)) continue;
    for (size_t i = begin; i < end; ++i) {
      if (logits[i] > threshold) items.push_back({static_cast<Token>(i), logits[i], 0});
    }
    if (items.size() >= limit) cut();
  }
  if (items.size() > k) cut();
  std::sort(items.begin(), items.end(), is_better);
}

}  // namespace

void gather(Candidates& candidates, std::span<const float> logits, size_t k) {
  std::vector<Candidate>& items = candidates.items;
  items.clear();
  if (has_infinity(logits)) {
    for (size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] == kFloatInfinity) items.push_back({static_cast<Token>(i), 0, 0});
    }
    candidates.sorted = true;
    if (k > 0) keep_best(candidates, k);
    return;
  }
  candidates.sorted = k > 0 && k < logits.size();
  if (candidates.sorted) return gather_best(items, logits, k);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -kFloatInfinity) items.push_back({static_cast<Token>(i), logits[i], 0});
  }
}

Token argmax(std::span<const float> logits) {
  Token best = -1;
  float best_logit = -kFloatInfinity;
  for (size_t begin = 0; begin < logits.size(); begin += kStride) {
    const size_t end = std::min(begin + kStride, logits.size());
    if (!any_above(logits, begin, end, best_logit)) continue;
    for (size_t i = begin; i < end; ++i) {
      if (logits[i] > best_logit) {
        best_logit = logits[i];
        best = static_cast<Token>(i);
      }
    }
  }
  return best;
}

SoftmaxSum fill_probabilities(Candidates& candidates) {
  float max = -kFloatInfinity;
  for (const Candidate& c : candidates.items) max = std::max(max, c.logit);
  double sum = 0;
  for (Candidate& c : candidates.items) {
    // The test keeps +inf - +inf from becoming NaN.
    const double distance = c.logit == max ? 0.0 : static_cast<double>(c.logit) - static_cast<double>(max);
    c.p = static_cast<float>(exact_exp(distance));
  }
  for (const Candidate& c : candidates.items) sum += c.p;
  for (Candidate& c : candidates.items) c.p = static_cast<float>(c.p / sum);
  return {max, exact_log(sum)};
}

double entropy(const Candidates& candidates, const SoftmaxSum& sum) {
  double total = 0;
  for (const Candidate& c : candidates.items) {
    if (c.p > 0) total += c.p * (sum.log_sum - (static_cast<double>(c.logit) - static_cast<double>(sum.max)));
  }
  return total;
}

void keep_best(Candidates& candidates, size_t n) {
  n = std::min(std::max<size_t>(n, 1), candidates.items.size());
  if (!candidates.sorted) extend_sorted_prefix(candidates.items, 0, n, is_better);
  candidates.items.resize(n);
  candidates.sorted = true;
}

size_t draw(const Candidates& candidates, Rng& rng) {
  double total = 0;
  for (const Candidate& c : candidates.items) total += c.p;
  double left = rng.uniform() * total;
  size_t last_possible = 0;
  for (size_t i = 0; i < candidates.items.size(); ++i) {
    const double p = candidates.items[i].p;
    if (p <= 0) continue;
    if (left < p) return i;
    left -= p;
    last_possible = i;
  }
  return last_possible;  // rounding may leave the sum below the draw
}

}  // namespace sample
}  // namespace hearth
