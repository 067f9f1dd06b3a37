// Engine: many requests over one model at once. Requests join and leave between the steps of a thread of the engine's
// own; each gets its answer as a stream of events.
//
//   auto engine = hearth::Engine::create(*model, {.session = {.n_ctx = 1024, .n_seqs = 4}});
//   if (!engine) return fail(engine.error());
//   auto ticket = engine->submit({.prompt = *ids, .generate = {.max_tokens = 16}});
//   if (!ticket) return fail(ticket.error());
//   while (auto event = ticket->next()) std::cout << event->text << std::flush;
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/batch.h"
#include "hearth/embedder.h"
#include "hearth/generator.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "hearth/session.h"
#include "hearth/speculation.h"

namespace hearth {

/// Where drafts come from (hearth/speculation.h).
struct EngineDrafts {
  /// A smaller model of the same vocabulary, in a session beside the engine's. Off: what stands in the text itself.
  std::optional<Model> model{};
  LookupOptions lookup{};  ///< without a model
  bool mtp = false;        ///< without a model: the engine's own guesses (Speculator::mtp); SessionOptions::mtp is set
  SpeculationOptions options{};
};

struct EngineOptions {
  /// n_seqs: answers written at once; n_ctx: positions that they share, what earlier requests left for reuse included.
  /// n_logits is raised to n_seqs, reuse_prefixes is set. hidden_only must be false.
  SessionOptions session{.n_seqs = 4};
  int32_t max_queue = 256;  ///< requests that may wait; one more is refused (kLimit)
  /// While answers are written, a step takes so much of waiting prompts that it lasts about this many times as long as
  /// without them; more prompts than answers: up to eight times as much of them; and enough for at least half of what
  /// they add to be their own tokens' time. At least 1, where prompts come forward by a few tokens; larger: they end
  /// sooner.
  double prompt_share = 2.0;
  /// Makes embed() possible, with an Embedder of these options beside the session's memory. Off: empty.
  std::optional<EmbedderOptions> embedder{};
  /// Guesses the next tokens of answers; what they say stays the same. n_logits is raised for it. Off: empty.
  std::optional<EngineDrafts> drafts{};
};

/// What is asked for.
struct EngineRequest {
  std::vector<Token> prompt;  ///< special tokens included; not empty
  /// How the answer is made. on_prompt and on_token are not called: events take their place. reuse_stretches lets a
  /// prompt become of what an earlier request with it has left, changed in the middle. `cancel` is looked at between
  /// steps. An own_sampler is used from the engine's thread and must outlive the ticket; it needs n = 1.
  GenerateOptions generate{};
  int32_t n = 1;         ///< answers; they share the pages of the prompt, and take seeds counted up from the sampler's
  int32_t priority = 0;  ///< higher ones begin earlier; ten seconds of waiting count as one step of it
  /// Begins with what an earlier request left that began alike: to the token where its sequence is still there, or in
  /// whole pages; a request waits while another computes much of its prompt. false: compute all of it.
  bool reuse_prefix = true;
  bool report_prompt = false;  ///< true: an event after every part of the prompt
  /// Tells the most probable tokens in the place of each that was chosen, at most so many; 0: none. There are no drafts
  /// with it.
  int32_t n_alternatives = 0;
  bool drafts = true;  ///< false: nothing is drafted, whatever EngineOptions::drafts says
  /// What acts on the prompt and the answers (an empty list: nothing); off: what the session's sequences begin with.
  /// Prompts are reused among requests with equal adapters and scales only. kUnsupported: with invocation tokens.
  std::optional<std::vector<AdapterScale>> adapters{};
  /// The sequence (0 .. n_seqs - 1) that holds prompt and answer: the request waits while another has it; needs n = 1.
  /// < 0: any.
  SeqId seq = -1;
};

/// A token that could have been chosen: the natural logarithm of what the model itself gave it.
struct TokenAlternative {
  Token id = 0;
  float logprob = 0;
};

/// Something that happened to a request.
struct EngineEvent {
  enum class Kind : uint8_t {
    kPrompt,  ///< another part of the prompt is computed (EngineRequest::report_prompt)
    kToken,   ///< a token of an answer
    kDone,    ///< an answer has ended; the last event of this answer
  };
  Kind kind = Kind::kToken;
  int32_t choice = 0;                            ///< 0 .. n - 1: whose
  Token id = 0;                                  ///< kToken
  float probability = 0;                         ///< kToken, as GeneratedToken::probability
  std::vector<TokenAlternative> alternatives{};  ///< kToken: EngineRequest::n_alternatives, most probable first
  /// Text that has become complete: of kToken, and of kDone what was still held back.
  std::string text{};
  int32_t prompt_done = 0, prompt_total = 0;  ///< kPrompt: tokens of the prompt

  // Of kDone:
  Status status{};  ///< why the answer failed; if it did, stop_reason means nothing
  StopReason stop_reason = StopReason::kLength;
  int32_t cached_tokens = 0;    ///< of the prompt, were not computed
  int32_t drafted_tokens = 0;   ///< guessed and computed
  int32_t accepted_tokens = 0;  ///< of these, were right
  SeqId seq = -1;               ///< that holds the answer until another needs it; -1: it never began
  double queued_seconds = 0;    ///< from submit() to the first step with this request
  Timings timings{};            ///< of this answer, from its first step on
};

/// The reader's end of a request. Not thread-safe, but another thread may call cancel(). Movable; letting go of a
/// ticket cancels what has not ended. It may outlive the engine, whose end cancels all requests.
class Ticket {
 public:
  Ticket(Ticket&&) noexcept;
  Ticket& operator=(Ticket&&) noexcept;
  ~Ticket();

  /// The next event, waiting for it; nothing after the last. Events wait for a slow reader without holding anybody up.
  std::optional<EngineEvent> next();
  /// The same, but waits at most so long; `waiting` becomes true when nothing came in that time.
  std::optional<EngineEvent> next_within(double seconds, bool& waiting);
  /// All n answers, waiting for the last; the first error, if one failed. Events that next() took are missing in them.
  Result<std::vector<Generation>> wait();
  /// Ends what has not ended, between two steps, with StopReason::kCancelled.
  void cancel();
  uint64_t id() const;  ///< of the request: counted from 1

  struct Impl;

 private:
  friend class Engine;
  explicit Ticket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Figures since the engine was made, and how it stands.
struct EngineStats {
  int32_t active = 0;   ///< requests being computed
  int32_t waiting = 0;  ///< in the queue
  uint64_t finished = 0, failed = 0, cancelled = 0;
  uint64_t steps = 0;
  uint64_t prompt_tokens = 0;     ///< computed
  uint64_t cached_tokens = 0;     ///< of prompts, found in the cache
  uint64_t generated_tokens = 0;  ///< of answers
  double busy_seconds = 0;        ///< in steps
  KVCacheStats cache{};
  SpeculationStats drafts{};
};

/// What a sequence of an engine holds.
struct HeldSequence {
  int32_t n_tokens = 0;
  uint64_t bytes = 0;  ///< of its file
};

/// Movable; all calls but moves may come from any thread.
class Engine {
 public:
  /// Allocates the session and starts the thread. Errors of Session::create, Embedder::create and Speculator::create;
  /// kInvalidArgument names an option out of range. For an encoder `embedder` must be given, and submit() gives
  /// kUnsupported.
  static Result<Engine> create(const Model& model, const EngineOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  /// Ends all requests with StopReason::kCancelled and the thread; a step that runs is given up between two layers.
  ~Engine();

  /// Queues a request. kContextFull for a prompt that can never fit, kLimit when max_queue requests wait, errors of
  /// Generator::create, kInvalidArgument for n outside 1..n_seqs.
  Result<Ticket> submit(EngineRequest request);
  /// Vectors of texts, computed between the steps of answers, one text at a time; waits for them. Errors of
  /// Embedder::embed; kUnsupported without EngineOptions::embedder; kCancelled when the engine ends meanwhile.
  Result<std::vector<Embedding>> embed(std::span<const std::string> texts);
  /// The same from token ids, special tokens included, as Embedder::embed_tokens.
  Result<std::vector<Embedding>> embed_tokens(std::span<const std::vector<Token>> texts);
  /// What acts on texts that are embedded from now on, as Embedder::set_adapters(). kUnsupported as embed().
  Status set_embedding_adapters(std::span<const AdapterScale> adapters);

  /// Writes what ended requests left in a sequence to a file, as Session::save(). This and the next two are done
  /// between two steps, once no request holds the sequence; they wait for that. kInvalidArgument for a bad sequence,
  /// kUnsupported for what was kept through a change (reuse_stretches) or begins with what is no longer there
  /// (windows), kIo, kCancelled when the engine ends meanwhile.
  Result<HeldSequence> save(SeqId seq, const std::string& path);
  /// The reverse: requests that begin alike, with the same `adapters` (off: what sequences begin with), compute only
  /// what follows. Errors of Session::restore(), where other adapters count as another model; kContextFull where
  /// answers that are being written need the room. On an error the sequence is as it was, or empty with kContextFull.
  Result<HeldSequence> restore(SeqId seq, const std::string& path,
                               const std::optional<std::vector<AdapterScale>>& adapters = std::nullopt);
  /// Forgets what a sequence holds. How many tokens that was.
  Result<int32_t> erase(SeqId seq);

  EngineStats stats() const;
  /// Whether a request holds the sequence, as of the last step.
  bool is_busy(SeqId seq) const;
  const Model& model() const;
  /// What the options came to.
  const EngineOptions& options() const;

  struct Impl;

 private:
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
