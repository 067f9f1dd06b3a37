// Continuous batching: one token of every answer and a part of the prompts in each step.
#include "lib/engine/scheduler.h"

#include <algorithm>

#include "lib/base/guard.h"
#include "lib/base/xxh64.h"
#include "lib/engine/alternatives.h"

namespace hearth {

namespace {

/// Names adapters and their scales, by contents; 0: none acts.
uint64_t key_of(std::span<const AdapterScale> adapters) {
  Xxh64 hash;
  bool acts = false;
  for (const AdapterScale& one : adapters) {
    if (one.scale == 0) continue;
    acts = true;
    const uint64_t content = one.adapter.content_hash();
    hash.update(std::as_bytes(std::span(&content, 1)));
    hash.update(std::as_bytes(std::span(&one.scale, 1)));
  }
  return acts ? hash.digest() : 0;
}

bool same(std::span<const AdapterScale> a, std::span<const AdapterScale> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const AdapterScale& x, const AdapterScale& y) {
    return x.scale == y.scale && x.adapter.content_hash() == y.adapter.content_hash();
  });
}

/// Positions promised to an answer at first, beyond its prompt, when it may become longer.
constexpr int64_t kFirstPromise = 256;
}  // namespace

Scheduler::Scheduler(Session session, const EngineOptions& options)
    : options_(options),
      session_(std::move(session)),
      slots_(session_.cache(), options.session.n_seqs),
      pace_(options.prompt_share) {}

void Scheduler::step(const std::atomic<bool>& stop) {
  drop_cancelled();
  admit();
  fill();
  if (batch_.empty() && !active_.empty()) {  // every answer waits for pages of the others
    finish_all(*active_.back(), StopReason::kContextFull);
  } else if (!batch_.empty()) {
    const Status status = compute(stop);
    if (status) {
      note_computed();
      hand_out();
    } else if (status.error().code != ErrorCode::kCancelled) {
      compute_one_by_one(status.error());
    }
  }
  sweep();
}

// --- who is computed ---------------------------------------------------------------------------------------------

void Scheduler::drop_cancelled() {
  for (auto* list : {&waiting_, &active_}) {
    for (const auto& request : *list)
      if (request->cancelled()) finish_all(*request, StopReason::kCancelled);
  }
  sweep();
}

/// Begins waiting requests, the most urgent first; none overtakes one that has no room yet.
void Scheduler::admit() {
  const auto now = Clock::now();
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [now](const auto& a, const auto& b) { return a->urgency(now) > b->urgency(now); });
  size_t n = 0;
  while (n < waiting_.size() && begin(*waiting_[n])) ++n;
  for (size_t i = 0; i < n; ++i) active_.push_back(std::move(waiting_[i]));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
}

int64_t Scheduler::reserve_for(const Request& request) const {
  const auto n_prompt = static_cast<int64_t>(request.asked.prompt.size());
  const int64_t n_ctx = session_.options().n_ctx;
  const int64_t most = std::max(kFirstPromise, n_ctx / session_.options().n_seqs);
  const int64_t wanted = request.asked.generate.max_tokens;
  return std::min(n_prompt + (wanted < 0 ? most : std::min(wanted, most)), n_ctx);
}

/// Takes places for all answers of a request; false, and nothing taken, when there are too few.
bool Scheduler::begin(Request& request) {
  if (slots_.n_idle() < request.asked.n) return false;
  const int64_t reserve = reserve_for(request);
  const uint64_t key = key_of(adapters_of(request));
  const auto place = slots_.take(request.asked.prompt, reserve, request.asked.reuse_prefix, key);
  if (!place) return false;
  request.choices[0].seq = place->seq;
  for (size_t i = 1; i < request.choices.size(); ++i) {
    const auto seq = slots_.take_branch(static_cast<int32_t>(request.asked.prompt.size()), reserve);
    if (!seq) return give_back(request), false;
    request.choices[i].seq = *seq;
  }
  if (Status status = set_adapters(request); !status) {
    give_back(request);
    finish_all(request, StopReason::kLength, status);
    return true;
  }
  request.begun = Clock::now();
  request.cached = request.computed = place->cached;
  stats_.cached_tokens += static_cast<uint64_t>(place->cached);
  return true;
}

std::span<const AdapterScale> Scheduler::adapters_of(const Request& request) const {
  return request.asked.adapters ? *request.asked.adapters : options_.session.adapters;
}

/// Only where they change, so that requests which are alike allocate nothing.
Status Scheduler::set_adapters(const Request& request) {
  const std::span<const AdapterScale> wanted = adapters_of(request);
  for (const Choice& choice : request.choices) {
    if (same(session_.adapters(choice.seq), wanted)) continue;
    if (Status status = session_.set_adapters(choice.seq, wanted); !status) return status;
  }
  return {};
}

void Scheduler::give_back(Request& request) {
  for (Choice& choice : request.choices) {
    if (choice.seq >= 0) slots_.release(choice.seq);
    choice.seq = -1;
  }
}

// --- what is computed --------------------------------------------------------------------------------------------

void Scheduler::fill() {
  batch_.clear(), rows_.clear(), parts_.clear();
  for (const auto& request : active_) {
    for (size_t i = 0; i < request->choices.size(); ++i)
      if (request->choices[i].written_to) add_answer(*request, i);
  }
  add_prompts();
}

/// The last token of an answer, unless it has to wait for pages.
void Scheduler::add_answer(Request& request, size_t choice) {
  Choice& answer = request.choices[choice];
  const BatchToken next = answer.generator.next(answer.seq);
  if (next.pos >= session_.options().n_ctx) return finish(request, choice, StopReason::kContextFull);
  if (!slots_.extend(answer.seq, next.pos + 1)) return;
  batch_.push_back(next);
  rows_.push_back({&request, choice});
}

void Scheduler::add_prompts() {
  std::vector<Request*> requests;
  std::vector<int32_t> left;
  for (const auto& request : active_) {
    if (!request->in_prompt()) continue;
    requests.push_back(request.get());
    left.push_back(request->prompt_left());
  }
  if (requests.empty()) return;
  const auto n_answers = static_cast<int32_t>(batch_.size());
  const auto shares = share_out(left, pace_.prompt_tokens(n_answers, session_.options().n_batch));
  for (size_t i = 0; i < requests.size(); ++i) {
    Request& request = *requests[i];
    if (shares[i] == 0) continue;
    parts_.push_back({&request, shares[i]});
    for (int32_t pos = request.computed; pos < request.computed + shares[i]; ++pos)
      batch_.push_back({request.asked.prompt[static_cast<size_t>(pos)], pos, request.choices[0].seq, false});
    if (shares[i] < left[i]) continue;
    batch_.back().logits = true;
    rows_.push_back({&request, 0});
  }
}

Status Scheduler::compute(const std::atomic<bool>& stop) {
  const auto start = Clock::now();
  int32_t n_prompt = 0;
  for (const Part& part : parts_) n_prompt += part.n_tokens;
  const auto n_answers = static_cast<int32_t>(batch_.size()) - n_prompt;
  if (Status status = session_.decode(batch_, &stop); !status) return status;
  const double seconds = seconds_since(start);
  pace_.took(seconds, n_answers, n_prompt);
  ++stats_.steps;
  stats_.busy_seconds += seconds;
  stats_.prompt_tokens += static_cast<uint64_t>(n_prompt);
  stats_.generated_tokens += static_cast<uint64_t>(n_answers);
  return {};
}

/// Tells the slots what their sequences hold now.
void Scheduler::note_computed() {
  for (const BatchToken& token : batch_) slots_.computed(token.seq, {&token.id, 1});
  for (const Part& part : parts_) part.request->computed += part.n_tokens;
}

/// A batch could not be computed: each of its requests is tried alone, so that only those fail that must.
void Scheduler::compute_one_by_one(const Error& why) {
  const std::atomic<bool> never{false};
  const std::vector<BatchToken> all = std::move(batch_);
  const std::vector<Row> rows = std::move(rows_);
  const std::vector<Part> parts = std::move(parts_);
  const auto attempt = [&](Request& request, SeqId seq, size_t choice, bool prompt) {
    batch_.clear(), rows_.clear(), parts_.clear();
    std::copy_if(all.begin(), all.end(), std::back_inserter(batch_),
                 [seq](const BatchToken& t) { return t.seq == seq; });
    for (const Row& row : rows)
      if (row.request == &request && row.choice == choice) rows_.push_back(row);
    if (prompt) parts_.push_back({&request, static_cast<int32_t>(batch_.size())});
    const Status status = compute(never);
    if (status) return note_computed(), hand_out();
    const bool full = status.error().code == ErrorCode::kContextFull;
    if (prompt) return finish_all(request, StopReason::kContextFull, full ? Status() : Status(why));
    finish(request, choice, StopReason::kContextFull, full ? Status() : Status(why));
  };
  for (const Row& row : rows)
    if (!row.request->in_prompt()) attempt(*row.request, row.request->choices[row.choice].seq, row.choice, false);
  for (const Part& part : parts) attempt(*part.request, part.request->choices[0].seq, 0, true);
}

// --- what came of it ---------------------------------------------------------------------------------------------

void Scheduler::hand_out() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    Request& request = *rows_[i].request;
    const auto logits = session_.logits(i);
    if (request.choices[rows_[i].choice].written_to) {
      accept(request, rows_[i].choice, logits);
    } else {
      end_prompt(request, logits);
    }
  }
  for (const Part& part : parts_) {
    const Request& request = *part.request;
    if (!request.asked.report_prompt) continue;
    EngineEvent event{.kind = EngineEvent::Kind::kPrompt};
    event.prompt_done = request.computed;
    event.prompt_total = static_cast<int32_t>(request.asked.prompt.size());
    send(request, std::move(event));
  }
}

/// The prompt is computed: all answers begin from its logits, in sequences that share its pages.
void Scheduler::end_prompt(Request& request, std::span<const float> logits) {
  request.prompt_done = Clock::now();
  const SeqId first = request.choices[0].seq;
  for (size_t i = 1; i < request.choices.size(); ++i) {
    if (Status status = slots_.branch(first, request.choices[i].seq); !status)
      finish(request, i, StopReason::kLength, status);
  }
  for (size_t i = 0; i < request.choices.size(); ++i) {
    const Choice& answer = request.choices[i];
    if (answer.done) continue;
    if (answer.generator.finished()) {
      finish(request, i, answer.generator.stop_reason());  // max_tokens = 0
    } else {
      accept(request, i, logits);
    }
  }
}

void Scheduler::accept(Request& request, size_t choice, std::span<const float> logits) {
  Choice& answer = request.choices[choice];
  const Result<GeneratedToken> token = answer.generator.accept(logits);
  if (!token) return finish(request, choice, StopReason::kLength, token.error());
  if (request.first_token == 0) request.first_token = seconds_since(request.begun);
  EngineEvent event{.kind = EngineEvent::Kind::kToken, .choice = static_cast<int32_t>(choice)};
  event.id = token->id;
  event.probability = token->probability;
  event.text = token->text;
  event.alternatives = most_probable(logits, request.asked.n_alternatives);
  send(request, std::move(event));
  answer.written_to = !token->finished;
  if (token->finished) finish(request, choice, token->stop_reason);
}

void Scheduler::finish(Request& request, size_t choice, StopReason reason, const Status& status) {
  Choice& answer = request.choices[choice];
  if (answer.done) return;
  answer.done = true;
  answer.written_to = false;
  EngineEvent event{.kind = EngineEvent::Kind::kDone, .choice = static_cast<int32_t>(choice)};
  if (status) {
    const bool open = !answer.generator.finished();
    if (open) event.text = answer.generator.finish(reason);
    event.stop_reason = open ? reason : answer.generator.stop_reason();
  }
  event.status = status;
  event.cached_tokens = request.cached;
  const bool begun = request.begun != Clock::time_point{};
  const auto between = [](Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
  };
  event.queued_seconds = between(request.submitted, begun ? request.begun : Clock::now());
  event.timings.prompt_tokens = static_cast<int32_t>(request.asked.prompt.size());
  event.timings.generated_tokens = static_cast<int32_t>(answer.generator.ids().size());
  if (request.prompt_done != Clock::time_point{}) {
    event.timings.prompt_seconds = between(request.begun, request.prompt_done);
    event.timings.first_token_seconds = request.first_token;
    event.timings.generate_seconds = seconds_since(request.prompt_done);
  }
  send(request, std::move(event));
  if (answer.seq >= 0) slots_.release(answer.seq);
  answer.seq = -1;
  if (choice == 0) count(reason, status);
}

void Scheduler::count(StopReason reason, const Status& status) {
  if (!status) {
    ++stats_.failed;
  } else if (reason == StopReason::kCancelled) {
    ++stats_.cancelled;
  } else {
    ++stats_.finished;
  }
}

void Scheduler::finish_all(Request& request, StopReason reason, const Status& status) {
  for (size_t i = 0; i < request.choices.size(); ++i) finish(request, i, reason, status);
}

void Scheduler::send(const Request& request, EngineEvent event) {
  outbox_.push_back({request.channel, std::move(event)});
}

void Scheduler::deliver() {
  for (Letter& letter : outbox_) {
    if (!letter.event) {
      letter.channel->close();
      continue;
    }
    const Status pushed = guard([&]() -> Status { return letter.channel->push(std::move(*letter.event)), Status(); });
    if (pushed) continue;
    letter.channel->fail();
    letter.channel->cancelled.store(true);
  }
  outbox_.clear();
}

void Scheduler::drop_all() noexcept {
  for (auto* list : {&waiting_, &active_}) {
    for (const auto& request : *list) {
      give_back(*request);
      request->channel->fail();
    }
    list->clear();
  }
  outbox_.clear();
}

/// Lets go of requests that have ended.
void Scheduler::sweep() {
  for (auto* list : {&waiting_, &active_}) {
    std::erase_if(*list, [this](const auto& request) {
      const bool ended =
          std::all_of(request->choices.begin(), request->choices.end(), [](const Choice& c) { return c.done; });
      if (ended) outbox_.push_back({request->channel, std::nullopt});
      return ended;
    });
  }
}

void Scheduler::end_all(StopReason reason) {
  for (auto* list : {&waiting_, &active_})
    for (const auto& request : *list) finish_all(*request, reason);
  sweep();
}

void Scheduler::fail_all(const Error& error) {
  for (auto* list : {&waiting_, &active_})
    for (const auto& request : *list) finish_all(*request, StopReason::kLength, error);
  sweep();
}

EngineStats Scheduler::stats() const {
  EngineStats stats = stats_;
  stats.active = static_cast<int32_t>(active_.size());
  stats.waiting = static_cast<int32_t>(waiting_.size());
  stats.cache = session_.cache().stats();
  return stats;
}

}  // namespace hearth
