// Session: one stream of computation over a model: a KV cache, scratch memory and threads.
//
//   auto session = hearth::Session::create(*model, {.n_ctx = 2048});
//   auto text = session->generate("Once upon a time", {.max_tokens = 64},
//                                 [](std::string_view piece) { std::cout << piece << std::flush; return true; });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/batch.h"
#include "hearth/kv_cache.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/sampler.h"
#include "hearth/threads.h"
#include "hearth/tokenizer.h"

namespace hearth {

struct SessionOptions {
  int32_t n_ctx = 0;             ///< positions that fit, over all sequences; 0: the model's own, at most 4096
  int32_t n_seqs = 1;            ///< sequences that may exist at once
  int32_t n_batch = 512;         ///< tokens computed at a time; decode() splits larger batches
  int32_t n_logits = 0;          ///< rows of logits that one decode() may ask for; 0: n_seqs
  KVType k_type = KVType::kF16;  ///< how cached keys are stored
  KVType v_type = KVType::kF16;  ///< how cached values are stored; any pair of types goes together
  int n_threads = 0;             ///< 0: default_thread_count(). Results do not depend on it.
  bool hidden_only = false;      ///< decode() leaves hidden states but no logits (embeddings)
  bool batch_invariant = false;  ///< results do not depend on how tokens are grouped into batches either (slower)
  /// Quantised weights meet activations in 32-bit floats instead of 8-bit integers, so that a file gives what its F32
  /// expansion gives but for the rounding of sums; generation is some forty times slower. k_type and v_type round
  /// besides.
  bool exact_products = false;
  const ThreadPool* pool = nullptr;  ///< a host's own pool, which must outlive the session; then n_threads is ignored
};

enum class StopReason : uint8_t { kLength, kEndToken, kStopText, kCallback, kContextFull };
const char* stop_reason_name(StopReason reason);

struct GenerateOptions {
  int32_t max_tokens = 128;  ///< < 0: until an end token or the context is full
  SamplerOptions sampler{};
  bool add_special = true;          ///< begin the prompt as the vocabulary asks (BOS)
  bool parse_special = false;       ///< control tokens written in the prompt count as such
  bool ignore_end = false;          ///< go on past end tokens
  std::vector<std::string> stop{};  ///< texts that end generation; not part of the result
  /// Called as the prompt is computed, after every n_batch tokens; return false to end with kCancelled. May be empty.
  std::function<bool(int32_t done_tokens, int32_t total_tokens)> on_prompt{};
};

struct Timings {
  int32_t prompt_tokens = 0;
  int32_t generated_tokens = 0;
  double prompt_seconds = 0;       ///< until the prompt's logits were there
  double first_token_seconds = 0;  ///< from the call to the first token's text
  double generate_seconds = 0;     ///< after the prompt
};

struct Generation {
  std::vector<Token> prompt_ids;
  std::vector<Token> ids;  ///< without the end token
  std::string text;
  StopReason stop = StopReason::kLength;
  Timings timings;
};

/// Receives text as it becomes complete (whole UTF-8 characters); return false to stop.
using TextCallback = std::function<bool(std::string_view piece)>;

/// Not thread-safe; different sessions of one model may run in different threads.
class Session {
 public:
  /// Allocates the cache and the scratch memory of MemoryPlan. kInvalidArgument names an option out of
  /// range; kOutOfMemory.
  static Result<Session> create(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Computes a batch. Tokens of one sequence must stand in order, at positions that the cache does not
  /// hold; a token sees the earlier positions of its own sequence (encoders: all of its sequence in the
  /// batch). On any error the cache is as it was: kInvalidArgument (id, position or sequence out of range,
  /// position taken), kContextFull.
  Status decode(std::span<const BatchToken> batch);
  /// Logits [n_vocab] of the i-th token of the last decode() that asked for them; empty when there is no
  /// such row. Valid until the next decode().
  std::span<const float> logits(size_t i) const;
  size_t n_logits() const;
  /// Final normed hidden state [d_model] of the same row.
  std::span<const float> hidden(size_t i) const;

  /// Clears sequence 0, tokenizes and computes the prompt, then samples until something stops it.
  Result<Generation> generate(std::string_view prompt, const GenerateOptions& options = {},
                              const TextCallback& on_text = {});

  KVCache& cache();
  const KVCache& cache() const;
  const Model& model() const;
  /// What the options came to (n_ctx, n_threads filled in).
  const SessionOptions& options() const;
  MemoryPlan plan() const;

  struct Impl;

 private:
  friend struct SessionInternals;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
