// The sampler stages, one function each, and what they share. Stages on logits work on the whole vocabulary
// by id, before candidates are gathered; stages on candidates narrow or rescale the working set. No stage
// leaves the set empty, and none sees NaN or -inf.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hearth/sampler.h"

namespace hearth::sample {

// --- candidates ---------------------------------------------------------------------------------------

/// Best first: higher logit, then lower id. A total order, so that every sort gives the same result.
inline bool is_better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// The numbers of a softmax that entropy-based stages need.
struct SoftmaxSum {
  float max;       ///< largest logit
  double log_sum;  ///< log(sum(exp(logit - max))): -log p = log_sum - (logit - max)
};

/// Fills `p` without reordering.
SoftmaxSum fill_probabilities(Candidates& candidates);
/// -sum(p log p) in nats; `p` must be filled.
double entropy(const Candidates& candidates, const SoftmaxSum& sum);
/// items[n_sorted, n_wanted) become the next ones in the order `less`; items[0, n_sorted) already are.
template <typename Item, typename Less>
void extend_sorted_prefix(std::vector<Item>& items, size_t n_sorted, size_t n_wanted, Less less) {
  if (n_wanted <= n_sorted) return;
  const auto begin = items.begin() + static_cast<ptrdiff_t>(n_sorted);
  const auto middle = items.begin() + static_cast<ptrdiff_t>(n_wanted);
  if (middle != items.end()) std::nth_element(begin, middle, items.end(), less);
  std::sort(begin, middle, less);
}
/// Size of the prefix to sort after n_sorted turned out too few: most of a large vocabulary is never sorted.
inline size_t next_prefix(size_t n_sorted, size_t n_items) {
  return std::min(n_items, std::max<size_t>(128, 4 * n_sorted));
}
/// Cuts to the n best (at least one), sorted.
void keep_best(Candidates& candidates, size_t n);

/// Fills `candidates` from logits [n_vocab]: the k best, sorted, when k > 0; else everything above -inf in the
/// order of the ids. NaN counts as -inf; if there are +inf, only those, at logit 0. Empty when all are -inf.
void gather(Candidates& candidates, std::span<const float> logits, size_t k);
/// Highest logit, ties to the lowest id; -1 when all are NaN or -inf.
Token argmax(std::span<const float> logits);

// --- stages on logits ---------------------------------------------------------------------------------

/// A multiset of tokens with O(1) insertion and removal, and its distinct members.
class TokenCounts {
 public:
  explicit TokenCounts(size_t n_vocab = 0) : count_(n_vocab), place_(n_vocab) {}
  void add(Token id);
  void remove(Token id);
  void clear();
  int32_t count(Token id) const { return count_[static_cast<size_t>(id)]; }
  std::span<const Token> distinct() const { return distinct_; }

 private:
  std::vector<int32_t> count_;  ///< [n_vocab]
  std::vector<size_t> place_;   ///< [n_vocab] index in distinct_
  std::vector<Token> distinct_;
};

/// Forbids (-inf) all tokens but those whose bit is set in `allowed`.
void keep_allowed(std::span<float> logits, std::span<const uint64_t> allowed);
/// logit += bias; -inf wins over everything.
void apply_bias(std::span<float> logits, std::span<const std::pair<Token, float>> bias);

/// Repetition penalty (Keskar et al. 2019, "CTRL", eq. of section 4.1, in the sign-aware form of the field) and
/// the presence and frequency penalties of the OpenAI API, for the tokens of the window.
void apply_penalties(std::span<float> logits, const TokenCounts& window, const SamplerOptions& options);

/// A text that ends repetitions, as tokens: `head` contains it or its beginning; `tail` is the rest (may be empty).
struct DryBreaker {
  Token head;
  std::vector<Token> tail;
};
/// Every way in which one of the texts can be spelled in tokens, sorted by head.
std::vector<DryBreaker> find_dry_breakers(const Tokenizer& tokenizer, std::span<const std::string> texts);

/// Scratch of apply_dry, kept between tokens.
struct DryScratch {
  std::vector<int32_t> match;    ///< [n] length of the repetition that ends at a place
  std::vector<int32_t> longest;  ///< [n_vocab] 1 + longest repetition that a token would continue; 0: none
  std::vector<Token> touched;
};
/// DRY (Weidmann 2024, "DRY: a modern repetition penalty", text-generation-webui pull request 5677): a token that
/// would continue a repetition of length n >= allowed loses multiplier * base^(n - allowed).
/// `history`: the window, oldest first.
void apply_dry(std::span<float> logits, std::span<const Token> history, std::span<const DryBreaker> breakers,
               const SamplerOptions& options, DryScratch& scratch);

// --- stages on candidates -----------------------------------------------------------------------------

/// Keeps logits >= max - n * (standard deviation of the logits) (Tang et al. 2024, "Top-n-sigma: not all logits are you
/// need").
void top_n_sigma(Candidates& candidates, float n);
/// Keeps the k most probable (Fan et al. 2018, "Hierarchical neural story generation").
void top_k(Candidates& candidates, int32_t k);
/// Keeps the tokens whose surprise is closest to the entropy, up to mass p (Meister et al. 2022, "Locally typical
/// sampling").
void typical(Candidates& candidates, float p, size_t min_keep, std::vector<std::pair<float, Candidate>>& scratch);
/// Keeps the smallest set of mass >= p (Holtzman et al. 2019, "The curious case of neural text degeneration").
void top_p(Candidates& candidates, float p, size_t min_keep);
/// Keeps p_i >= p * max(p_i) (Nguyen et al. 2024, "Turning up the heat: min-p sampling").
void min_p(Candidates& candidates, float p, size_t min_keep);
/// Exclude top choices (Weidmann 2024, text-generation-webui pull request 6335): with the given probability drops all
/// tokens above the threshold but the least probable of them.
void xtc(Candidates& candidates, float probability, float threshold, size_t min_keep, Rng& rng);
/// logit = (logit - max) / temperature. With range > 0 the temperature lies in temperature +- range:
/// min + (max - min) * (entropy / log n)^exponent.
void temperature(Candidates& candidates, float temperature, float range, float exponent);

/// Mirostat (Basu et al. 2020, "Mirostat: a neural text decoding algorithm that directly controls perplexity"): holds
/// the surprise at tau bits. Version 1 estimates Zipf's exponent and cuts to k tokens; version 2 cuts by surprise.
struct Mirostat {
  float mu = 0;  ///< current limit in bits; starts at 2 tau
  void truncate_v1(Candidates& candidates, int32_t n_vocab) const;
  void truncate_v2(Candidates& candidates) const;
  /// `p`: the chosen token's probability among the candidates that were left.
  void observe(double p, float tau, float eta);
};

/// Draws an index by `p` (need not be normalized, is not reordered).
size_t draw(const Candidates& candidates, Rng& rng);

// --- options ------------------------------------------------------------------------------------------

/// kInvalidArgument names the setting that is NaN or out of range.
Status check_options(const SamplerOptions& options, int32_t n_vocab);

}  // namespace hearth::sample
