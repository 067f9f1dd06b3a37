// Generator: from logits to the next token and its text, until something says stop. A state machine without a model:
// the host (or Session::generate) computes, and one Generator per sequence decides.
//
//   auto generator = hearth::Generator::create(model, prompt, {.max_tokens = 64});
//   if (!generator) return fail(generator.error());
//   auto status = session.prefill(prompt);
//   while (status && !generator->finished()) {
//     auto token = generator->accept(session.logits(0));
//     if (!token) return fail(token.error());
//     std::cout << token->text;
//     hearth::BatchToken next = generator->next(0);
//     if (!token->finished) status = session.decode({&next, 1});
//   }
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/batch.h"
#include "hearth/grammar.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/sampler.h"

namespace hearth {

class Speculator;

enum class StopReason : uint8_t {
  kLength,       ///< max_tokens
  kEndToken,     ///< the model ended its text
  kStopText,     ///< one of GenerateOptions::stop_texts
  kCallback,     ///< a callback returned false
  kContextFull,  ///< the session's context, or the positions of the model
  kCancelled,    ///< GenerateOptions::cancel
};
/// "length", "end_token", "stop_text", "callback", "context_full", "cancelled".
const char* stop_reason_name(StopReason reason);

/// How to go on when a sequence fills the context.
enum class OnFull : uint8_t {
  kStop,    ///< end the text
  kShift,   ///< forget the older half of what follows the first GenerateOptions::keep tokens, and move up the rest
  kWindow,  ///< forget the 64 oldest of what follows them: a window that slides, behind attention sinks
};
/// "stop", "shift", "window".
const char* on_full_name(OnFull on_full);

/// One generated token. Of the end token the text is empty.
struct GeneratedToken {
  Token id = 0;
  /// What the model itself gave it: softmax of the logits over the vocabulary, before penalties, truncation and
  /// temperature. Only with GenerateOptions::probabilities or on_token; otherwise 0.
  float probability = 0;
  /// Text that has become complete: whole UTF-8 characters that can no longer be the beginning of a stop text. It may
  /// belong to earlier tokens and may be empty. Valid until the next call of the generator.
  std::string_view text{};
  bool finished = false;
  StopReason stop_reason = StopReason::kLength;  ///< valid once finished
};

/// How a text is made. Every field's neutral value is its default or stands beside it.
struct GenerateOptions {
  int32_t max_tokens = 128;  ///< the end token is not counted; 0: none; < 0: until something else ends it
  SamplerOptions sampler{};  ///< what the chain is made from, unless `own_sampler` is given
  Sampler* own_sampler =
      nullptr;  ///< a host's own chain (with stages of its own), used as it is; it must outlive the call
  std::vector<std::string> stop_texts{};  ///< end the text where one begins; none is part of the result; off: empty
  std::optional<Grammar> grammar{};       ///< only texts of it are written, and the text ends where it must; off: none
  /// With a grammar: it begins behind the first occurrence of this text (control tokens by their text) in what is
  /// generated; until then anything may be written. Off: empty, and it begins at once.
  std::string grammar_after{};
  bool ignore_end = false;     ///< true: go on past end tokens
  bool skip_special = false;   ///< true: leave the text of control tokens out
  bool probabilities = false;  ///< true: fill GeneratedToken::probability (one pass over the logits per token)

  // Of Session::generate and Chat; a Generator by itself looks at none of these.
  OnFull on_full = OnFull::kStop;  ///< what to do when the context is full while text is generated
  int32_t keep = 4;                ///< tokens at the beginning that on_full never forgets
  /// Of Session::generate alone. true: what sequence 0 holds stays where it begins as the prompt does (a restored
  /// sequence, an earlier text), and other sequences stay; false: the cache is cleared first.
  bool continue_cache = false;
  /// Of Chat, and of Session::generate with continue_cache. > 0: where the text has changed in the middle, unchanged
  /// stretches of at least so many tokens are kept, too; an approximation (Session::reuse_changed). 0: never.
  int32_t reuse_stretches = 0;
  /// Of Session::generate and Chat: drafts of the next tokens (hearth/speculation.h). It must outlive the call; drafts
  /// need room in SessionOptions::n_logits. Off: nullptr.
  Speculator* speculator = nullptr;
  bool add_special = true;     ///< begin a prompt of text as the vocabulary asks (BOS)
  bool parse_special = false;  ///< true: control tokens written in a prompt of text count as such
  /// Called as the prompt is computed, after every n_batch tokens; return false to end with kCancelled. Off: empty.
  std::function<bool(int32_t done_tokens, int32_t total_tokens)> on_prompt{};
  /// Called with every token, the end token included; return false to stop. Off: empty.
  std::function<bool(const GeneratedToken& token)> on_token{};
  /// Set it to true, from any thread or a signal's handler, to stop between two layers of the model. Off: nullptr.
  /// While the prompt is computed the call ends with the error kCancelled; later with what there is of the text and
  /// StopReason::kCancelled.
  const std::atomic<bool>* cancel = nullptr;
};

/// One sequence being written. Not thread-safe; movable. It owns the sampler (unless own_sampler is given), the decoder
/// from tokens to text, and what has been written; it never computes logits, so any number of them can share one batch.
class Generator {
 public:
  /// The prompt is shown to the sampler (penalties see it). Errors of Sampler::create; kInvalidArgument for an empty
  /// prompt or an id that is out of range.
  static Result<Generator> create(const Model& model, std::span<const Token> prompt,
                                  const GenerateOptions& options = {});
  /// The same for logits that come from elsewhere: `n_logits` of them each time, at least as many as the vocabulary has
  /// tokens.
  static Result<Generator> create(const Tokenizer& tokenizer, int32_t n_logits, std::span<const Token> prompt,
                                  const GenerateOptions& options = {});
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;
  ~Generator();

  /// Takes a token from the logits [ModelInfo::n_vocab] that follow what was written so far: the prompt at first, then
  /// the token of next(). kInvalidArgument when finished or when the number of logits is wrong; kOutOfMemory, after
  /// which the generator has finished (text() is what was handed out); errors of Sampler::sample.
  Result<GeneratedToken> accept(std::span<const float> logits);
  /// With a grammar: takes a token of the text that must follow what was written, without logits. Call it after
  /// accept() until it gives none, and compute all of pending() in one batch. Its probability is 0. (A host may leave
  /// it out: then such tokens are sampled, from few choices.)
  Result<std::optional<GeneratedToken>> accept_forced();
  /// All tokens since the last accept(), that one included, to be computed as part of sequence `seq` before the next
  /// accept(); the last one asks for logits.
  Result<std::vector<BatchToken>> pending(SeqId seq) const;
  /// The last token, to be computed as part of sequence `seq` before the next accept(). Meaningless once finished.
  BatchToken next(SeqId seq) const;
  /// For drafts of what comes next: what accept() would take from these logits, by the same rules and random numbers,
  /// if the tokens that draft() gave since the last accept() were part of the text; -1 where the text would end. Takes
  /// nothing. With an own_sampler (whose stages may have a state) the likeliest token.
  Result<Token> draft(std::span<const float> logits);
  /// How many of these tokens, from the first on, are worth computing as a draft: grammar, max_tokens and end tokens
  /// let them follow.
  Result<int32_t> draftable(std::span<const Token> tokens);
  /// Ends the text for a reason of the host's. Returns what text was held back (none for kCallback, or when memory is
  /// out).
  std::string_view finish(StopReason reason);

  bool finished() const;
  StopReason stop_reason() const;  ///< valid once finished
  const std::vector<Token>& prompt() const;
  const std::vector<Token>& ids() const;  ///< without the end token
  const std::string& text() const;        ///< all that was handed out

 private:
  struct Impl;
  explicit Generator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
