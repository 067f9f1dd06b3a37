// Running means of times and of right drafts.
#include "lib/session/draft_pace.h"

#include <algorithm>

namespace hearth {
namespace {

/// Share of a step's time that another token in the batch is believed to cost, until it is measured.
constexpr double kTokenCost = 0.12;
/// A draft must promise so much more than none.
constexpr double kMargin = 1.03;
/// Tokens of a trial, and steps without one after it.
constexpr int32_t kTrial = 2, kFirstPause = 24, kLongestPause = 1024;
/// Steps with drafts after which one goes without, so that the time of a step stays known as texts grow.
constexpr int32_t kPlainEvery = 96;

/// A machine that does something else for a while makes a step look slow, never fast.
void mix(double& mean, double value) {
  if (mean <= 0) {
    mean = value;
  } else {
    mean += (value < mean ? 0.4 : 0.15) * (std::min(value, 2 * mean) - mean);
  }
}

}  // namespace

void DraftPace::decoded(int32_t n_tokens, double seconds) {
  if (n_tokens >= 1 && n_tokens <= kLargest) mix(batch_[static_cast<size_t>(n_tokens)], seconds);
}

void DraftPace::drafted(int32_t n_tokens, double seconds) {
  if (n_tokens > 0) mix(draft_token_, seconds / n_tokens);
}

double DraftPace::seconds(int32_t n_tokens) const {
  const auto n = static_cast<size_t>(std::clamp(n_tokens, 1, kLargest));
  size_t below = n, above = n;
  while (below > 0 && batch_[below] <= 0) --below;
  while (above <= kLargest && batch_[above] <= 0) ++above;
  if (below == 0) return 0;
  const double low = batch_[below], step = low * kTokenCost / static_cast<double>(std::min<size_t>(below, 8));
  if (above > kLargest) return low + static_cast<double>(n - below) * step;
  if (above == below) return low;
  const double part = static_cast<double>(n - below) / static_cast<double>(above - below);
  return low + part * std::max(batch_[above] - low, 0.0);
}

void DraftPace::verified(int32_t confidence, int32_t n_draft, int32_t n_right) {
  Class& c = classes_[static_cast<size_t>(confidence)];
  for (int32_t i = 0; i < n_right; ++i) c.share += 0.08 * (1 - c.share);
  if (n_right < n_draft) c.share -= 0.2 * c.share;
  if (!c.trial) return;
  c.trial = false;
  n_vain_ = 2 * n_right < n_draft ? n_vain_ + 1 : 0;
  if (n_right < n_draft) return;
  c.pause = kFirstPause;
  c.share = std::max(c.share, 0.6);
}

/// 0: none is clearly better.
int32_t DraftPace::best_length(double share, int32_t most, int32_t n_batch, double expected) const {
  int32_t best = 0;
  double best_rate = kMargin * expected / seconds(n_batch), right = 1, gain = 0;
  for (int32_t k = 1; k <= most; ++k) {
    right *= share;
    gain += right;
    const double rate = (expected + gain) / (seconds(n_batch + k) + k * draft_token_);
    if (rate > best_rate) best = k, best_rate = rate;
  }
  return best;
}

int32_t DraftPace::length(int32_t confidence, int32_t most, int32_t n_batch, double expected) {
  if (most <= 0 || seconds(n_batch) <= 0) return 0;
  if (++since_plain_ > kPlainEvery) {
    since_plain_ = 0;
    return 0;
  }
  Class& c = classes_[static_cast<size_t>(confidence)];
  if (const int32_t best = best_length(c.share, most, n_batch, expected); best > 0) return best;
  since_plain_ = 0;
  if (c.quiet-- > 0) return 0;
  c.quiet = c.pause;
  c.pause = std::min(2 * c.pause, kLongestPause);
  c.trial = best_length(1, most, n_batch, expected) > 0;
  n_vain_ += !c.trial;  // it cannot pay, but the times are measured once more
  return std::min(most, kTrial);
}

}  // namespace hearth
