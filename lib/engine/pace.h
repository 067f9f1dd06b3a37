// How much of waiting prompts a step takes, so that answers beside them do not stall.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace hearth {

/// Running means of what a step costs: about a base for the answers, and something per token of a prompt.
class Pace {
 public:
  explicit Pace(double prompt_share) : share_(std::max(prompt_share, 1.0)) {}

  /// Tokens of `n_prompts` prompts for a step in which `n_answers` answers grow: all that fit when there are none.
  int32_t prompt_tokens(int32_t n_answers, int32_t n_prompts, int32_t n_batch) const {
    const int32_t room = std::max(n_batch - n_answers, 1);
    if (n_answers == 0) return room;
    if (step_seconds_ <= 0 || token_seconds_ <= 0) return std::min(room, kUnknown);
    // One reader does not hold up many: requests have equal parts of the time where most of them wait.
    const double crowd = std::clamp(static_cast<double>(n_prompts) / n_answers, 1.0, kMostCrowd);
    const double n = crowd * (share_ - 1) * step_seconds_ / token_seconds_;
    return std::clamp(n < 1e6 ? static_cast<int32_t>(n) : room, std::min(room, kLeast), room);
  }

  /// A step of that much work took so long.
  void took(double seconds, int32_t n_answers, int32_t n_prompt) {
    if (n_prompt == 0) return mix(step_seconds_, seconds);
    const double rest = n_answers > 0 ? seconds - step_seconds_ : seconds;
    if (n_prompt >= kLeast / 2 && rest > 0) mix(token_seconds_, rest / n_prompt);
  }

 private:
  static constexpr int32_t kLeast = 8;     ///< tokens of a prompt in a step, however slow they are
  static constexpr int32_t kUnknown = 32;  ///< as long as nothing was measured
  static constexpr double kMostCrowd = 3;  ///< prompts for an answer that count

  static void mix(double& mean, double value) { mean = mean <= 0 ? value : 0.8 * mean + 0.2 * value; }

  double share_, step_seconds_ = 0, token_seconds_ = 0;
};

/// Shares `budget` tokens among prompts that have so many left, in their order of urgency: half goes to the first, the
/// rest evenly to all, so that a short prompt does not wait for a long one. Sums to min(budget, what is left).
inline std::vector<int32_t> share_out(std::span<const int32_t> left, int32_t budget) {
  std::vector<int32_t> shares(left.size(), 0);
  if (left.empty()) return shares;
  const auto give = [&](size_t i, int32_t n) {
    n = std::min({n, budget, left[i] - shares[i]});
    shares[i] += n;
    budget -= n;
  };
  give(0, (budget + 1) / 2);
  const int32_t even = budget / static_cast<int32_t>(left.size());
  for (size_t i = 0; i < left.size(); ++i) give(i, even);
  for (size_t i = 0; i < left.size(); ++i) give(i, budget);
  return shares;
}

}  // namespace hearth
