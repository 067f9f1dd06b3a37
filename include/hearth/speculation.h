// Speculative decoding: something cheap guesses the next tokens, and the model checks all of them in one batch
// (Leviathan et al. 2023; Saxena 2023, prompt lookup). What is written does not change, only how fast.
//
//   auto session = hearth::Session::create(*model, {.n_logits = 17});  // room for drafts of 16 tokens
//   auto lookup = hearth::Speculator::lookup();
//   if (!session || !lookup) return false;
//   auto text = session->generate("Once upon a time", {.max_tokens = 64, .speculator = &*lookup});
//   std::cout << lookup->stats().accepted << " of " << lookup->stats().drafted << " guesses were right\n";
//   return text.ok();
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/batch.h"
#include "hearth/generator.h"
#include "hearth/kv_cache.h"
#include "hearth/model.h"
#include "hearth/result.h"

namespace hearth {

class Session;

/// A text that a source is asked to continue.
struct DraftRequest {
  SeqId seq = 0;
  std::span<const Token> text{};    ///< the prompt and what was written since
  int32_t n = 0;                    ///< tokens wanted at most
  Generator* generator = nullptr;   ///< of this text: draft() chooses as it will choose
  std::span<const float> hidden{};  ///< [d_model] final normed hidden state that the last token was chosen from, for
                                    ///< heads of the model itself; empty: not known
  std::vector<Token> tokens{};      ///< out: what is proposed; may stay empty
  int32_t confidence = 0;           ///< out, 0..3: how often drafts are right is counted for each value by itself
  int32_t n_pending = 0;            ///< tokens at the end of the text that the session has not computed yet
};

/// Where drafts come from: a second model, the text itself, a head of the model. A host may bring its own.
class DraftSource {
 public:
  virtual ~DraftSource() = default;
  virtual const char* name() const = 0;  ///< for statistics
  /// True when proposing costs no time worth counting.
  virtual bool is_free() const = 0;
  /// Continues texts of different sequences. What is proposed for a text should depend on the text and its generator
  /// alone. An error ends the decoding; throwing is kCancelled.
  virtual Status propose(std::span<DraftRequest> requests) = 0;
};

/// Drafts out of the text itself: what followed the last place that ends like the text does now.
struct LookupOptions {
  int32_t min_match = 2;   ///< tokens that must agree
  int32_t max_match = 24;  ///< of several places that agree in so many, the last is taken
};

struct SpeculationOptions {
  int32_t max_draft = 16;  ///< tokens of a draft at most; up to KVCache::kRollbackTokens - 1
  /// true: the length of drafts follows from how many were right and from the times measured, and nothing is drafted
  /// where that would lose time. false: drafts are as long as they can be.
  bool adaptive = true;
};

struct SpeculationStats {
  int64_t drafted = 0;        ///< tokens that were proposed and computed
  int64_t accepted = 0;       ///< of these, were right
  int64_t steps = 0;          ///< batches of the model
  int64_t drafted_steps = 0;  ///< of these, held a draft
  int64_t tokens = 0;         ///< written in these steps
  double seconds = 0;         ///< that they took, drafting included
  double draft_seconds = 0;   ///< of these, for drafting
  /// How many times as fast as without drafts, from the measured time of a step without; 0: not known yet.
  double speed_up = 0;
  bool off = false;    ///< drafting has stopped
  std::string note{};  ///< why, in one line; empty: nothing to say
};

/// A text being written speculatively, in a sequence of its own.
struct SpeculativeText {
  SeqId seq = 0;
  Generator* generator = nullptr;
  int32_t forgotten = 0;                         ///< tokens that the cache no longer counts (Session::make_room)
  int32_t max_draft = KVCache::kRollbackTokens;  ///< tokens that the host has room for besides
  int32_t first_row = 0;  ///< of logits that belong to it in the last decode(): plan() sets it; of a prompt, the host
  int32_t drafted = 0, accepted = 0;  ///< counted by accept(): tokens of drafts, and those of them that were right
};

/// Drafts, checks and counts for the texts of one session. The tokens that are written are those that the generators
/// would choose without drafts, from the same random numbers: the model's own distribution, and with equal seeds equal
/// texts (but for the rounding of sums that grouping tokens changes, see SessionOptions::batch_invariant). A draft is
/// right where it is what the generator chooses, which is the rejection of Leviathan et al. for a draft that is certain
/// of each token; a draft model draws with the generator's own random numbers, so that it often draws the same. With a
/// grammar drafts end where it forbids them. Models with recurrent layers go back to before a batch, and compute again
/// what was right in it. Not thread-safe; movable.
///
/// Several texts at once, instead of GenerateOptions::speculator:
///
///   for each text: speculator.begin(text); its first_row is the row of its prompt's logits
///   for (;;) {
///     for each text that is not finished: speculator.accept(session, text, on_token);
///     batch.clear(); speculator.plan(session, texts, batch); session.decode(batch);
///   }
class Speculator {
 public:
  using TokenCallback = std::function<bool(const GeneratedToken& token)>;

  static Result<Speculator> create(std::unique_ptr<DraftSource> source, const SpeculationOptions& options = {});
  /// Prompt lookup. kInvalidArgument names an option out of range.
  static Result<Speculator> lookup(const LookupOptions& lookup = {}, const SpeculationOptions& options = {});
  /// A smaller model guesses; it computes with the threads of the target session, and in a session of its own, which
  /// takes memory beside it. kInvalidArgument says how the vocabularies differ; errors of Session::create. An assistant
  /// (Gemma 4) reads the keys and values that the target session keeps instead, which then must outlive the speculator;
  /// it may be moved. kInvalidArgument says what of it does not fit the model.
  static Result<Speculator> draft_model(const Session& target, const Model& draft,
                                        const SpeculationOptions& options = {});
  /// The model's own layer for multi-token prediction guesses (DeepSeek-AI 2024, DeepSeek-V3, section 2.2): from the
  /// hidden states that the session keeps of what it computed, and then from its own. The session must have
  /// SessionOptions::mtp (otherwise kInvalidArgument) and outlive the speculator; it may be moved.
  static Result<Speculator> mtp(Session& target, const SpeculationOptions& options = {});
  Speculator(Speculator&&) noexcept;
  Speculator& operator=(Speculator&&) noexcept;
  ~Speculator();

  /// A new text begins in a sequence, whose prompt is computed or about to be.
  Status begin(const SpeculativeText& text);
  /// Appends to `batch` what is to be computed of these texts: tokens that the cache does not hold yet, and drafts,
  /// with logits (as many as SessionOptions::n_logits leaves room for). `draft` false: no drafts this time. The time
  /// from here to accept() counts as that of the batch. Where several texts share a cache that is nearly full, decode()
  /// may lack pages for all drafts together: plan without.
  Status plan(const Session& session, std::span<SpeculativeText> texts, std::vector<BatchToken>& batch,
              bool draft = true);
  /// Lets the generator take tokens from the rows of a decode(), as long as they are those of the draft, and takes the
  /// others out of the cache. `on_token` is called with each, the end token included; when it returns false the text
  /// ends with StopReason::kCallback. Errors of Generator::accept.
  Status accept(Session& session, SpeculativeText& text, const TokenCallback& on_token);

  const SpeculationOptions& options() const;
  const char* source_name() const;
  SpeculationStats stats() const;

  struct Impl;

 private:
  explicit Speculator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
