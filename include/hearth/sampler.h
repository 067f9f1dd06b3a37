// Sampler: a chain of stages from logits to the next token.
//
//   hearth::SamplerOptions options;            // the usual defaults
//   options.temperature = 0.7f;
//   auto sampler = hearth::Sampler::create(model.info().n_vocab, options, &model.tokenizer());
//   auto next = sampler->sample(session.logits(0));   // Result<Token>
//   sampler->accept(*next);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "hearth/tokenizer.h"

namespace hearth {

/// One token that may still be chosen. Stages change `logit`, set `p`, reorder and drop.
struct Candidate {
  Token id;
  float logit;
  float p;  ///< probability; valid once a stage has called Candidates::softmax()
};

/// The working set that stages operate on. Never empty when a stage is called; the chain restores the
/// best candidate if a host's stage drops all of them.
struct Candidates {
  std::vector<Candidate> items;
  bool sorted = false;  ///< by logit, descending; ties by lower id
  /// Sorts by logit (descending, ties by id).
  void sort();
  /// Sorts and fills `p` so that it sums to 1.
  void softmax();
};

/// SplitMix64-seeded xoshiro256++ (Blackman & Vigna 2018): the same numbers on every platform.
class Rng {
 public:
  explicit Rng(uint64_t seed = 0);
  uint64_t next();
  /// Uniform in [0, 1), 53 bits.
  double uniform();

 private:
  uint64_t state_[4];
};

/// Every stage's setting with its neutral value ("off") in the comment. Defaults are the usual ones of such programs.
struct SamplerOptions {
  uint64_t seed =
      0xFFFFFFFFu;      ///< equal seeds give equal text; the default is fixed too, so that a program repeats itself
  bool greedy = false;  ///< take the highest logit after penalties and bias; ties: lowest id

  std::vector<std::pair<Token, float>> logit_bias{};  ///< added to logits; -inf forbids (off: empty)

  int32_t penalty_last_n = 64;     ///< window of the penalties in tokens (off: 0; -1: everything)
  float repeat_penalty = 1.0f;     ///< off: 1
  float frequency_penalty = 0.0f;  ///< off: 0
  float presence_penalty = 0.0f;   ///< off: 0

  float dry_multiplier = 0.0f;  ///< off: 0
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;                          ///< repeats up to this length are free
  int32_t dry_penalty_last_n = -1;                         ///< off: 0; -1: everything
  std::optional<std::vector<std::string>> dry_breakers{};  ///< need a tokenizer; not given: line end, : " and *

  float top_n_sigma = -1.0f;     ///< off: <= 0
  int32_t top_k = 40;            ///< off: <= 0
  float typical_p = 1.0f;        ///< off: >= 1
  float top_p = 0.95f;           ///< off: >= 1
  float min_p = 0.05f;           ///< off: <= 0
  float xtc_probability = 0.0f;  ///< off: 0
  float xtc_threshold = 0.1f;    ///< off: > 0.5
  float temperature = 0.8f;      ///< <= 0 acts as greedy
  float dynatemp_range = 0.0f;   ///< off: 0; temperature varies by +- this with the entropy
  float dynatemp_exponent = 1.0f;
  int32_t min_keep = 1;  ///< truncating stages keep at least so many

  int32_t mirostat = 0;  ///< 0 off; 1 or 2: replaces the truncating stages
  float mirostat_tau = 5.0f;
  float mirostat_eta = 0.1f;
};

/// What the makers of a model recommend for it in its file (`general.sampling.*`), over `defaults`; settings that are
/// out of range are left out. Sessions and chats look at their own options only: hand the result to them.
SamplerOptions recommended_sampling(const GgufFile& file, const SamplerOptions& defaults = {});

/// A stage of the host's own: changes the candidates in place. It sees no history: a stage that needs one keeps it
/// itself (Generator tells every token), and Sampler::clone() copies the function as it is, so that state behind a
/// pointer is shared. When it throws, sample() gives kCancelled.
using SamplerStage = std::function<void(Candidates&)>;

/// Where a host's stage runs.
enum class StagePosition { kBeforeTruncation, kAfterTruncation, kLast };

/// A chain with its state (recent tokens, mirostat, random generator). One per sequence; not thread-safe;
/// movable. Copy with clone() to branch a generation.
class Sampler {
 public:
  /// Order: logit bias, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature, draw.
  /// kInvalidArgument names a setting that is NaN or out of range, or a bias on an id that is no token.
  /// `n_logits` is ModelInfo::n_vocab. A model may give logits for more ids than its vocabulary has tokens (rows that
  /// pad its embedding): with `tokenizer` those are never chosen. It also serves to find DRY's breakers.
  static Result<Sampler> create(int32_t n_logits, const SamplerOptions& options, const Tokenizer* tokenizer = nullptr);
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();
  Result<Sampler> clone() const;

  /// Where memory is out the stage is left out, and the next sample() says so.
  void add_stage(StagePosition where, SamplerStage stage);

  /// Chooses a token from `logits` [n_logits]. NaN counts as -inf; +inf wins; if nothing is finite the
  /// lowest id that is not forbidden is taken. kInvalidArgument when the length is not n_logits.
  Result<Token> sample(std::span<const float> logits);
  /// The same among the tokens of `allowed` only (bit id % 64 of word id / 64, as GrammarMatcher::mask gives them):
  /// where the logits and the bias leave none of them, the lowest is taken. kInvalidArgument when there is none.
  Result<Token> sample(std::span<const float> logits, std::span<const uint64_t> allowed);
  /// Tells the chain what was taken (also for tokens of the prompt, so that penalties see them). Where memory is out
  /// the token is forgotten, and the next sample() says so (kOutOfMemory, once).
  void accept(Token id);
  /// Forgets history and restarts the generator from the seed.
  void reset();
  /// Forgets history (what penalties, DRY and mirostat look back on) and goes on with the generator: for a text that
  /// begins anew, as after a chat goes back a message.
  void reset_history();
  /// The candidates after the last sample(), with probabilities, best first.
  std::span<const Candidate> last_candidates() const;

 private:
  struct Impl;
  explicit Sampler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
