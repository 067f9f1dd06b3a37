// How long a draft should be: from the times of batches and from how many drafts were right.
//
// With the share a of tokens that are right, a draft of k gives (1 - a^(k+1)) / (1 - a) tokens a step on average
// (Leviathan et al. 2023, eq. 1), in the time of a batch of k + 1 tokens and of drafting k. The best k has the most
// tokens a second; 0 when none has clearly more than a step without a draft.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hearth {

class DraftPace {
 public:
  static constexpr int kClasses = 4;    ///< of confidence
  static constexpr int kGuess = 2;      ///< confidence of sources that tell none
  static constexpr int kLargest = 256;  ///< tokens of batches whose times are kept apart

  /// The model computed so many tokens in one batch.
  void decoded(int32_t n_tokens, double seconds);
  /// A source was asked for drafts, the longest of so many tokens.
  void drafted(int32_t n_tokens, double seconds);
  /// So many tokens of a draft were right, from the first on.
  void verified(int32_t confidence, int32_t n_draft, int32_t n_right);

  /// The best length up to `most` for one more text, when the batch holds `n_batch` tokens without its draft and gives
  /// `expected` tokens. Now and then, at growing intervals, a short draft although it seems to lose, as texts change.
  int32_t length(int32_t confidence, int32_t most, int32_t n_batch, double expected);
  /// Seconds of a batch, measured or estimated; 0: nothing is known.
  double seconds(int32_t n_tokens) const;
  double draft_seconds() const { return draft_token_; }  ///< per token of a draft
  double share(int32_t confidence) const { return classes_[static_cast<size_t>(confidence)].share; }
  /// Trials in a row that did not pay, or could not have paid.
  int32_t n_vain() const { return n_vain_; }

 private:
  int32_t best_length(double share, int32_t most, int32_t n_batch, double expected) const;

  struct Class {
    double share;        ///< of tokens that are right
    int32_t quiet = 0;   ///< drafts to leave out until the next trial
    int32_t pause = 24;  ///< the same after it
    bool trial = false;  ///< the last draft was one
  };

  std::array<double, kLargest + 1> batch_{};  ///< [tokens] seconds; 0: not measured
  std::array<Class, kClasses> classes_{{{.share = 0.25}, {.share = 0.4}, {.share = 0.7}, {.share = 0.85}}};
  double draft_token_ = 0;
  int32_t n_vain_ = 0, since_plain_ = 0;
};

}  // namespace hearth
