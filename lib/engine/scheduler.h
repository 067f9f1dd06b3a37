// Which tokens are computed next, and for whom: continuous batching. No threads and no waiting in here: the engine's
// thread calls step() as long as there is work.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "lib/engine/pace.h"
#include "lib/engine/request.h"
#include "lib/engine/slots.h"

namespace hearth {

class Scheduler {
 public:
  Scheduler(Session session, std::optional<Speculator> speculator, const EngineOptions& options);

  /// The request is left where it is when memory is out.
  void add(std::unique_ptr<Request>&& request);
  bool has_work() const { return !waiting_.empty() || !active_.empty(); }
  /// Begins what has room, computes one batch, prepares the events of it. `stop` ends the computation early.
  void step(const std::atomic<bool>& stop);
  /// Hands the events of what was done to their readers.
  void deliver();
  /// Ends every request, for a reason or with an error.
  void end_all(StopReason reason);
  void fail_all(const Error& error);
  /// The same when memory is out even for that.
  void drop_all() noexcept;

  /// A sequence that no request holds, as Engine::save(), restore() and erase() have it.
  bool is_idle(SeqId seq) const { return slots_.is_idle(seq); }
  Result<std::vector<std::byte>> save(SeqId seq, int32_t& n_tokens);
  Result<int32_t> restore(SeqId seq, std::span<const std::byte> bytes, std::span<const AdapterScale> adapters);
  int32_t erase(SeqId seq);

  EngineStats stats() const;
  const Session& session() const { return session_; }

 private:
  struct Row {
    Request* request;
    size_t choice;
  };
  struct Part {
    Request* request;
    int32_t n_tokens;
  };

  struct Letter {
    std::shared_ptr<EventChannel> channel;
    std::optional<EngineEvent> event;  ///< nothing: the last one was sent
  };

  void drop_cancelled();
  void admit();
  bool begin(Request& request);
  bool comes_soon(const Request& request);
  void give_back(Request& request);
  std::span<const AdapterScale> adapters_of(const Request& request) const;
  Status set_adapters(const Request& request);
  int64_t reserve_for(const Request& request) const;

  Status fill();
  void add_answer(Request& request, size_t choice);
  int32_t part_of(const Request& request, int32_t most) const;
  void skip_held(Request& request);
  void add_prompts();
  bool may_draft(const Request& request) const {
    return speculator_ && request.asked.drafts && request.asked.n_alternatives <= 0;
  }
  void add_text(Request& request, size_t choice);
  Status compute(const std::atomic<bool>& stop);
  void note_computed();
  void compute_one_by_one(const Error& why);

  void hand_out();
  void end_prompt(Request& request, int32_t row);
  void accept(Request& request, size_t choice, std::span<const float> logits);
  void accept_text(Request& request, size_t choice, SpeculativeText& text);
  void begin_answer(Request& request, size_t choice, int32_t row);
  void send_token(Request& request, size_t choice, const GeneratedToken& token,
                  std::vector<TokenAlternative> alternatives);
  void finish(Request& request, size_t choice, StopReason reason, const Status& status = {});
  void count(StopReason reason, const Status& status);
  void finish_all(Request& request, StopReason reason, const Status& status = {});
  void sweep();
  void send(const Request& request, EngineEvent event);

  EngineOptions options_;
  Session session_;
  std::optional<Speculator> speculator_;
  Slots slots_;
  Pace pace_;
  bool has_states_;  ///< of recurrent layers
  bool keeps_ends_;  ///< has states or windows: prefixes are reused where a part of a prompt has ended
  std::vector<std::unique_ptr<Request>> waiting_, active_;

  // The step being made.
  int32_t n_answers_ = 0;  ///< that grow in it, however many drafts they have
  std::vector<BatchToken> batch_;
  std::vector<Row> rows_;               ///< whose logits, in the order of the batch
  std::vector<SpeculativeText> texts_;  ///< that the speculator adds, behind all other tokens
  std::vector<Row> text_rows_;          ///< [texts_] whose they are
  std::vector<Part> parts_;             ///< of prompts
  std::vector<Letter> outbox_;
  EngineStats stats_;
};

}  // namespace hearth
