// How much of waiting prompts a step takes, so that answers beside them do not stall.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hearth {

/// What steps cost, as measured. A step of answers alone takes about as long as reading the weights; one with parts of
/// prompts is a product of many columns: something once, which can be more than that, and something per token. Small
/// parts would cost most of what large ones do.
class Pace {
 public:
  explicit Pace(double prompt_share) : share_(std::max(prompt_share, 1.0)) {}

  /// Tokens of `n_prompts` prompts for a step in which `n_answers` answers grow: all that fit when there are none, and
  /// 0 the first time that there are some, which tells how long a step without prompts takes. For other numbers of
  /// answers it is taken for what the nearest one took that was seen, rather a smaller one, since a step that waits for
  /// nothing but its measurement keeps every prompt waiting.
  int32_t prompt_tokens(int32_t n_answers, int32_t n_prompts, int32_t n_batch) const {
    const int32_t room = std::max(n_batch - n_answers, 1);
    if (n_answers == 0) return room;
    const double step = answers_seconds(n_answers);
    if (step <= 0) return 0;
    if (weight_ <= 0) return std::min(room, kUnknown);
    // One reader does not hold up many: requests have equal parts of the time where most of them wait.
    const double crowd = std::clamp(static_cast<double>(n_prompts) / n_answers, 1.0, kMostCrowd);
    const double spent = crowd * (share_ - 1) * step;
    // At least half of what prompts add to a step is to bring them forward.
    const double per_token = token_seconds(step);
    const double once = std::max(mean_seconds_ + per_token * (n_answers - mean_tokens_) - step, 0.0);
    // More than twice of what was seen lately would be a guess.
    const double most = std::max(2 * mean_tokens_, static_cast<double>(kUnknown));
    const double n = std::min(std::max(spent - once, share_ > 1 ? once : 0.0) / per_token, most);
    return std::clamp(n < 1e6 ? static_cast<int32_t>(n) : room, std::min(room, kLeast), room);
  }

  /// A step of that much work took so long.
  void took(double seconds, int32_t n_answers, int32_t n_prompt) {
    seconds = std::max(seconds, 1e-9);  // a clock may stand still; what was measured is above 0
    if (n_prompt == 0) return mix(steps_[index(n_answers)], seconds);
    if (n_prompt < kLeast / 2) return;
    // Means in which the past fades.
    weight_ = kFade * weight_ + 1;
    const double tokens = static_cast<double>(n_answers) + n_prompt;
    mean_tokens_ += (tokens - mean_tokens_) / weight_;
    mean_seconds_ += (seconds - mean_seconds_) / weight_;
    // What a token costs is told by steps of different sizes that follow one another, which a prompt that grows long or
    // a machine that grows slow changes alike.
    const double more = tokens - last_tokens_, longer = seconds - last_seconds_;
    if (last_tokens_ > 0 && std::abs(more) > kDiffers * std::max(tokens, last_tokens_)) {
      squares_ = kFade * squares_ + more * more;
      products_ = kFade * products_ + more * longer;
      once_ = std::max(mean_seconds_ - products_ / squares_ * mean_tokens_, 0.0);
    }
    last_tokens_ = tokens, last_seconds_ = seconds;
  }

 private:
  static constexpr int32_t kLeast = 8;       ///< tokens of a prompt in a step, however slow they are
  static constexpr int32_t kUnknown = 32;    ///< as long as nothing was measured
  static constexpr double kMostCrowd = 8;    ///< prompts for an answer that count
  static constexpr double kFade = 0.95;      ///< what a step with prompts weighs after the next one
  static constexpr double kDiffers = 0.3;    ///< of a step's tokens: more or less than this tells what one costs
  static constexpr double kLeastPart = 0.3;  ///< of a step's time that its tokens take

  static void mix(double& mean, double value) { mean = mean <= 0 ? value : 0.8 * mean + 0.2 * value; }

  /// Numbers of answers up to 8 are told apart, and of larger ones how many bits they have.
  static size_t index(int32_t n_answers) {
    const auto n = static_cast<uint32_t>(std::max(n_answers, 1));
    return n <= 8 ? n - 1 : static_cast<size_t>(std::bit_width(n - 1)) + 4;
  }

  /// Seconds of a step without prompts; 0: none was seen.
  double answers_seconds(int32_t n_answers) const {
    const size_t at = index(n_answers);
    for (size_t i = at + 1; i-- > 0;)
      if (steps_[i] > 0) return steps_[i];
    for (size_t i = at + 1; i < steps_.size(); ++i)
      if (steps_[i] > 0) return steps_[i];
    return 0;
  }

  /// Seconds per token of a product of many columns: while nothing tells it, what a step takes longer than one of
  /// answers. What steps take longer since it was last told is their tokens', which have more to look back on as
  /// prompts grow.
  double token_seconds(double step) const {
    const double all = mean_seconds_ / mean_tokens_;
    const double guess = (mean_seconds_ - (squares_ > 0 ? once_ : step)) / mean_tokens_;
    return std::clamp(guess, kLeastPart * all, all);
  }

  double share_;
  std::array<double, 40> steps_{};  ///< seconds without prompts: running means, by number of answers
  double weight_ = 0, mean_tokens_ = 0, mean_seconds_ = 0;  ///< of steps with prompts
  double last_tokens_ = 0, last_seconds_ = 0;               ///< of the last such step
  double squares_ = 0, products_ = 0;                       ///< of differences of tokens, and with those of seconds
  double once_ = 0;                                         ///< seconds of such a step without its tokens' own
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
