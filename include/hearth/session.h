// Session: one stream of computation over a model: a KV cache, scratch memory and threads.
//
//   auto session = hearth::Session::create(*model, {.n_ctx = 2048});
//   auto text = session->generate("Once upon a time", {.max_tokens = 64},
//                                 [](std::string_view piece) { std::cout << piece << std::flush; return true; });
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/adapter.h"
#include "hearth/batch.h"
#include "hearth/chat_template.h"
#include "hearth/generator.h"
#include "hearth/kv_cache.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/sampler.h"
#include "hearth/threads.h"
#include "hearth/tokenizer.h"

namespace hearth {

/// How rotary embeddings are scaled (Chen et al. 2023; Peng et al. 2023, YaRN).
enum class RopeScalingType : uint8_t { kModel, kNone, kLinear, kYarn };

/// Stretches a context beyond that of training. What is not set stays as the file has it; a file's factors for each
/// frequency apply in any case. Layers with a rotary embedding of their own for sliding windows keep it.
struct RopeOptions {
  RopeScalingType scaling = RopeScalingType::kModel;
  float freq_base = 0;         ///< base of the frequencies; 0: the file's
  float freq_scale = 0;        ///< factor on positions, 0.25 stretches four times; 0: the file's
  int32_t yarn_orig_ctx = 0;   ///< context before stretching; 0: the file's
  float yarn_ext_factor = -1;  ///< share of frequencies that YaRN keeps apart; < 0: 1 with YaRN
  float yarn_attn_factor = 1;  ///< factor on cos and sin when yarn_ext_factor is 0; YaRN has its own otherwise
  float yarn_beta_fast = 0;    ///< turns over the original context from which a frequency is kept; 0: the file's
  float yarn_beta_slow = 0;    ///< turns below which it is stretched; 0: the file's
};

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
  RopeOptions rope{};
  /// Pages that prefill() computes stay known by their tokens while nobody else wants the room (the cache grows by
  /// nothing), and Session::reuse(), generate() and Chat begin with those of a prefix that comes again, whichever
  /// sequence had it before. Prompts are then cut at pages, so that results are the same bits whether or not a prefix
  /// was known. Equal adapters and scales are asked for; prompts of a session that has adapters with invocation tokens
  /// are computed from their beginning. n_batch becomes a multiple of 64.
  bool reuse_prefixes = false;
  /// Where layers are recurrent or slide, a known prefix also needs the state, or the window, at its end. So many of
  /// them stay known besides what sequences hold: where a prompt ended (to the page) and where two prompts parted. They
  /// take memory of their own. < 0: with reuse_prefixes two for each sequence, otherwise none.
  int32_t n_kept_prefixes = -1;
  const ThreadPool* pool = nullptr;  ///< a host's own pool, which must outlive the session; then n_threads is ignored
  std::vector<AdapterScale> adapters{};  ///< that every sequence begins with; several add up
  /// Keeps what the model's own layer for multi-token prediction (MTP) needs, so that Speculator::mtp() can draft with
  /// it: one more layer of keys and values, and the last hidden states of every sequence. The last layer of a prompt is
  /// then computed for all its tokens. kUnsupported for a model without (ModelInfo::has_mtp).
  bool mtp = false;
};

/// How prefill() computes a prompt.
struct PrefillOptions {
  SeqId seq = 0;
  bool all_logits =
      false;  ///< true: logits of every token (n_logits >= n_batch), to be read in on_progress; false: of the last
  /// Called after every n_batch tokens; return false to end with kCancelled. Off: empty.
  std::function<bool(int32_t done_tokens, int32_t total_tokens)> on_progress{};
  const std::atomic<bool>* cancel = nullptr;  ///< as for decode(); off: nullptr
  /// true: the tokens stand at positions 0, 1, ...; those that the sequence holds are not computed (reuse_changed()).
  bool skip_held = false;
};

struct Timings {
  int32_t prompt_tokens = 0;
  int32_t reused_tokens = 0;  ///< of these, that a known prefix gave (SessionOptions::reuse_prefixes)
  int32_t generated_tokens = 0;
  double prompt_seconds = 0;       ///< until the prompt's logits were there
  double first_token_seconds = 0;  ///< from the call to the first token's text
  double generate_seconds = 0;     ///< after the prompt
};

struct Generation {
  std::vector<Token> prompt_ids;
  std::vector<Token> ids;  ///< without the end token
  std::string text;        ///< as the callbacks got it
  StopReason stop_reason = StopReason::kLength;
  Timings timings;
};

/// Receives text as it becomes complete (whole UTF-8 characters); return false to stop.
using TextCallback = std::function<bool(std::string_view piece)>;

/// Keeps its model alive. Not thread-safe; different sessions of one model may run in different threads. A callback
/// that throws ends the call with kCancelled (kOutOfMemory for std::bad_alloc) and leaves the session usable. A child
/// process made by fork() while no call ran may use and destroy sessions that it inherits, but has none of their
/// threads: they compute on the caller's alone (with the option HEARTH_OPENMP they may only be destroyed).
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
  /// position taken), kContextFull, kCancelled. `cancel`, if not null, is looked at between two layers of the model and
  /// ends the call once it is true. (A checkpoint of recurrent layers that an earlier decode() left is lost then.)
  Status decode(std::span<const BatchToken> batch, const std::atomic<bool>* cancel = nullptr);
  /// Computes tokens at the positions that follow those of a sequence, n_batch at a time. Errors as decode(); what was
  /// computed before an error stays. kInvalidArgument for no tokens.
  Status prefill(std::span<const Token> tokens, const PrefillOptions& options = {});
  /// Empties a sequence and lets it begin with the longest known prefix of these tokens (less than all of them).
  /// Returns how many tokens that is: prefill() of the rest follows. 0 without SessionOptions::reuse_prefixes;
  /// kInvalidArgument for a bad sequence.
  Result<int32_t> reuse(SeqId seq, std::span<const Token> tokens);
  /// For a text that has changed in the middle since a sequence was computed (an edited file, a message that was
  /// dropped): keeps of it what these tokens begin with, and after the first difference every unchanged stretch of at
  /// least min_stretch tokens, with shifted positions. Returns how many tokens are held; prefill() of all tokens with
  /// skip_held follows. An approximation: what is kept after a change was computed from the text before it, so logits
  /// come near those of these tokens, no more. Recurrent layers, windows that have let go of positions, learned
  /// positions and adapters with invocation tokens keep the beginning alone, as they are. kInvalidArgument.
  Result<int32_t> reuse_changed(SeqId seq, std::span<const Token> tokens, int32_t min_stretch);
  /// Logits [n_vocab] of the i-th token of the last decode() that asked for them; empty when there is no
  /// such row. Valid until the next decode().
  std::span<const float> logits(size_t i) const;
  size_t n_logits() const;
  /// Final normed hidden state [d_model] of the same row.
  std::span<const float> hidden(size_t i) const;

  /// Clears sequence 0, computes the prompt, then samples until something stops it. The prompt is text, a rendered
  /// conversation (in which only the template's own markers are special), or tokens. kUnsupported for an encoder;
  /// kContextFull for a prompt that does not fit; kCancelled while the prompt is computed.
  Result<Generation> generate(std::string_view prompt, const GenerateOptions& options = {},
                              const TextCallback& on_text = {});
  Result<Generation> generate(const ChatPrompt& prompt, const GenerateOptions& options = {},
                              const TextCallback& on_text = {});
  Result<Generation> generate(std::span<const Token> prompt, const GenerateOptions& options = {},
                              const TextCallback& on_text = {});

  /// Chooses what acts on the tokens that a sequence, or every sequence, computes from now on; an empty list: nothing.
  /// Several add up. Positions that the cache holds stay as they were computed; copying a sequence does not copy its
  /// choice. On an error nothing has changed: kInvalidArgument (no such sequence, an adapter of another model, a scale
  /// that is not finite), kOutOfMemory. This may allocate; decode() does not for it.
  Status set_adapters(SeqId seq, std::span<const AdapterScale> adapters);
  Status set_adapters(SeqId seq, std::initializer_list<AdapterScale> adapters);
  Status set_adapters(std::span<const AdapterScale> adapters);
  std::span<const AdapterScale> adapters(SeqId seq) const;
  /// Names what acts on a position of a sequence, by contents and scales: positions with equal tokens before them and
  /// equal keys have equal keys and values in the cache. 0: no adapter acts. The same on every machine.
  uint64_t adapter_key(SeqId seq, int32_t pos) const;

  /// Adds delta to the positions [p0, p1) of a sequence (p1 < 0: to the end): their keys are turned by the difference,
  /// what else was computed of them stays. So the text is not what it would be, had it been computed without what is
  /// now missing. kInvalidArgument for a bad sequence, or when positions would leave the context or meet others;
  /// kContextFull when a page is wanting; kUnsupported with recurrent layers or learned positions. On an error nothing
  /// has changed.
  Status shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta);
  /// Makes room at the end of a full sequence: forgets positions after the first `keep`, half of what is there with
  /// kShift, a page's with kWindow, and moves up those behind them. Returns how many were forgotten. kContextFull with
  /// kStop, or when there are fewer than two to choose from; otherwise errors as shift() and KVCache::remove().
  Result<int32_t> make_room(SeqId seq, OnFull on_full, int32_t keep);

  /// A sequence as bytes or as a file, with the types of its entries and a fingerprint of the model, checksummed. The
  /// file appears under its name when it is complete. kInvalidArgument for a bad sequence, kIo.
  Result<std::vector<std::byte>> save(SeqId seq) const;
  Status save(SeqId seq, const std::string& path) const;
  /// Replaces a sequence by a saved one; with the same threads and instruction set it goes on to the bit. kFormat says
  /// what is damaged, kInvalidArgument what does not fit (another model, other types or rope options, too small a
  /// context), kContextFull, kNotFound, kIo. On an error the sequence is as it was.
  Status restore(SeqId seq, std::span<const std::byte> bytes);
  Status restore(SeqId seq, const std::string& path);

  KVCache& cache();
  const KVCache& cache() const;
  const Model& model() const;
  /// What the options came to (n_ctx filled in; n_threads as many as the system gave).
  const SessionOptions& options() const;
  MemoryPlan plan() const;
  /// What is odd about these options on this machine, in one line: a context beyond that of training, fewer threads
  /// than asked for since the system gave no more. Empty: nothing. What is odd about the file: Tokenizer::warning() (of
  /// model().tokenizer()) and ChatTemplate::warning().
  std::string_view warning() const;

  struct Impl;

 private:
  friend struct SessionInternals;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
