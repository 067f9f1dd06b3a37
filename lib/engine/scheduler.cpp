// Continuous batching: one token of every answer and a part of the prompts in each step.
#include "lib/engine/scheduler.h"

#include <algorithm>

#include "lib/base/xxh64.h"
#include "lib/cache/kv_cache.h"
#include "lib/session/session_impl.h"

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
/// Tokens of a prompt that are worth waiting for while another request computes them.
constexpr int32_t kWorthWaiting = 2 * KVCache::kPageTokens;
}  // namespace

Scheduler::Scheduler(Session session, std::optional<Speculator> speculator, const EngineOptions& options)
    : options_(options),
      session_(std::move(session)),
      speculator_(std::move(speculator)),
      slots_(session_.cache(), options.session.n_seqs),
      pace_(options.prompt_share),
      has_states_(KVCacheInternals::of(session_.cache()).states.floats() > 0) {
  const auto& groups = KVCacheInternals::of(session_.cache()).groups;
  keeps_ends_ = has_states_ || std::any_of(groups.begin(), groups.end(),
                                           [](const Sequences& group) { return group.layout().window > 0; });
}

void Scheduler::step(const std::atomic<bool>& stop) {
  drop_cancelled();
  admit();
  if (Status filled = fill(); !filled) {
    fail_all(filled.error());
  } else if (batch_.empty() && !active_.empty()) {  // every answer waits for pages of the others
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

void Scheduler::add(std::unique_ptr<Request>&& request) {
  request->adapters = key_of(adapters_of(*request));
  waiting_.push_back(std::move(request));
}

// --- who is computed ---------------------------------------------------------------------------------------------

void Scheduler::drop_cancelled() {
  for (auto* list : {&waiting_, &active_}) {
    for (const auto& request : *list)
      if (request->cancelled()) finish_all(*request, StopReason::kCancelled);
  }
  sweep();
}

/// Whether a request that is being computed will soon have more of this prompt than there is now. It is asked to stop
/// where the prompts part, so that recurrent layers keep their state there.
bool Scheduler::comes_soon(const Request& request) {
  const auto& prompt = request.asked.prompt;
  if (!request.asked.reuse_prefix || (has_states_ && session_.options().n_kept_prefixes == 0)) return false;
  for (const auto& other : active_) {
    if (!other->in_prompt() || other->adapters != request.adapters || other->cancelled()) continue;
    const auto& theirs = other->asked.prompt;
    const auto differs = std::mismatch(prompt.begin(), prompt.end() - 1, theirs.begin(), theirs.end() - 1).first;
    auto n = static_cast<int32_t>(differs - prompt.begin());
    if (keeps_ends_) n -= n % KVCache::kPageTokens;
    if (n <= other->computed || n - kWorthWaiting < slots_.cached(prompt, request.adapters)) continue;
    other->cut = other->cut > other->computed ? std::min(other->cut, n) : n;
    return true;
  }
  return false;
}

/// Begins waiting requests, the most urgent first; none overtakes one that has no room yet.
void Scheduler::admit() {
  const auto now = Clock::now();
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [now](const auto& a, const auto& b) { return a->urgency(now) > b->urgency(now); });
  active_.reserve(active_.size() + waiting_.size());
  bool has_room = true;
  for (auto& request : waiting_) {
    if (!has_room || comes_soon(*request) || (request->asked.seq >= 0 && !is_idle(request->asked.seq))) continue;
    has_room = begin(*request);
    if (has_room) active_.push_back(std::move(request));
  }
  std::erase(waiting_, nullptr);
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
  const EngineRequest& asked = request.asked;
  std::optional<Slots::Place> place;
  if (asked.reuse_prefix && asked.generate.reuse_stretches > 0 && asked.seq < 0) {
    place = slots_.take_changed(session_, asked.prompt, reserve, asked.generate.reuse_stretches, request.adapters);
  }
  if (!place) place = slots_.take(asked.prompt, reserve, asked.reuse_prefix, request.adapters, asked.seq);
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
  request.computed = place->cached;
  request.cached = place->kept;
  request.cut = place->branch;
  stats_.cached_tokens += static_cast<uint64_t>(place->kept);
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

Status Scheduler::fill() {
  batch_.clear(), rows_.clear(), parts_.clear(), texts_.clear(), text_rows_.clear();
  for (const auto& request : active_) {
    for (size_t i = 0; i < request->choices.size(); ++i) {
      if (!request->choices[i].written_to) continue;
      may_draft(*request) ? add_text(*request, i) : add_answer(*request, i);
    }
  }
  n_answers_ = static_cast<int32_t>(batch_.size() + texts_.size());
  add_prompts();
  return texts_.empty() ? Status() : speculator_->plan(session_, texts_, batch_);
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

/// The same for an answer with drafts, which have room where pages can be promised to them.
void Scheduler::add_text(Request& request, size_t choice) {
  Choice& answer = request.choices[choice];
  const int32_t end = answer.generator.next(answer.seq).pos + 1, n_ctx = session_.options().n_ctx;
  if (end > n_ctx) return finish(request, choice, StopReason::kContextFull);
  SpeculativeText text{.seq = answer.seq, .generator = &answer.generator};
  text.max_draft = std::min(speculator_->options().max_draft, n_ctx - end);
  if (!slots_.extend(answer.seq, end + text.max_draft)) {
    text.max_draft = 0;
    if (!slots_.extend(answer.seq, end)) return;
  }
  texts_.push_back(text);
  text_rows_.push_back({&request, choice});
}

/// Tokens of a prompt for a step, `most` of them or as many as lie before a place where a part has to end: where others
/// wait for it, and, where the state of recurrent layers or a window has to be kept, at the last page that it fills.
int32_t Scheduler::part_of(const Request& request, int32_t most) const {
  const auto until = [&](int32_t end) {
    return end > request.computed ? std::min(most, end - request.computed) : most;
  };
  most = until(request.cut);
  const auto n = static_cast<int32_t>(request.asked.prompt.size());
  return keeps_ends_ ? until(n - n % KVCache::kPageTokens) : most;
}

/// Passes over tokens of a prompt that its sequence holds behind a gap. The last one it never does.
void Scheduler::skip_held(Request& request) {
  const SeqId seq = request.choices[0].seq;
  while (session_.cache().contains(seq, request.computed)) {
    slots_.computed(seq, {&request.asked.prompt[static_cast<size_t>(request.computed++)], 1});
  }
}

void Scheduler::add_prompts() {
  std::vector<Request*> requests;
  std::vector<int32_t> left;
  for (const auto& request : active_) {
    if (!request->in_prompt()) continue;
    skip_held(*request);
    requests.push_back(request.get());
    left.push_back(request->prompt_left());
  }
  if (requests.empty()) return;
  const auto n_prompts = static_cast<int32_t>(requests.size());
  const auto shares = share_out(left, pace_.prompt_tokens(n_answers_, n_prompts, session_.options().n_batch));
  for (size_t i = 0; i < requests.size(); ++i) {
    Request& request = *requests[i];
    const SeqId seq = request.choices[0].seq;
    const int32_t most = part_of(request, shares[i]);
    int32_t n = 0;
    for (; n < most && !session_.cache().contains(seq, request.computed + n); ++n) {
      const int32_t pos = request.computed + n;
      batch_.push_back({request.asked.prompt[static_cast<size_t>(pos)], pos, seq, false});
    }
    if (n == 0) continue;
    parts_.push_back({&request, n});
    if (n < left[i]) continue;
    batch_.back().logits = true;
    rows_.push_back({&request, 0});
  }
}

Status Scheduler::compute(const std::atomic<bool>& stop) {
  const auto start = Clock::now();
  int32_t n_prompt = 0;
  for (const Part& part : parts_) n_prompt += part.n_tokens;
  if (Status status = session_.decode(batch_, &stop); !status) return status;
  const double seconds = seconds_since(start);
  pace_.took(seconds, n_answers_, n_prompt);
  ++stats_.steps;
  stats_.busy_seconds += seconds;
  stats_.prompt_tokens += static_cast<uint64_t>(n_prompt);
  return {};
}

/// Tells the slots what their sequences hold now.
void Scheduler::note_computed() {
  for (const BatchToken& token : batch_) slots_.computed(token.seq, {&token.id, 1});
  for (const Part& part : parts_) {
    Request& request = *part.request;
    request.computed += part.n_tokens;
    const bool ends = request.prompt_left() < KVCache::kPageTokens;
    slots_.settle(request.choices[0].seq, ends || request.computed == request.cut);
  }
  for (const Row& row : rows_) {
    const Choice& answer = row.request->choices[row.choice];
    if (answer.written_to) slots_.settle(answer.seq, false);
  }
}

/// A batch could not be computed: each of its requests is tried alone, so that only those fail that must.
void Scheduler::compute_one_by_one(const Error& why) {
  const std::atomic<bool> never{false};
  const std::vector<BatchToken> all = std::move(batch_);
  const std::vector<Row> rows = std::move(rows_);
  const std::vector<Part> parts = std::move(parts_);
  const std::vector<SpeculativeText> texts = std::move(texts_);
  const std::vector<Row> text_rows = std::move(text_rows_);
  const auto attempt = [&](Request& request, SeqId seq, size_t choice, bool prompt) {
    batch_.clear(), rows_.clear(), parts_.clear(), texts_.clear(), text_rows_.clear();
    std::copy_if(all.begin(), all.end(), std::back_inserter(batch_),
                 [seq](const BatchToken& t) { return t.seq == seq; });
    for (const Row& row : rows)
      if (row.request == &request && row.choice == choice) rows_.push_back(row);
    if (prompt) parts_.push_back({&request, static_cast<int32_t>(batch_.size())});
    n_answers_ = prompt ? 0 : 1;
    const Status status = compute(never);
    if (status) return note_computed(), hand_out();
    const bool full = status.error().code == ErrorCode::kContextFull;
    if (prompt) return finish_all(request, StopReason::kContextFull, full ? Status() : Status(why));
    finish(request, choice, StopReason::kContextFull, full ? Status() : Status(why));
  };
  for (const Row& row : rows)
    if (!row.request->in_prompt()) attempt(*row.request, row.request->choices[row.choice].seq, row.choice, false);
  for (const Part& part : parts) attempt(*part.request, part.request->choices[0].seq, 0, true);
  for (size_t i = 0; i < texts.size(); ++i) {  // without drafts, which may have been too many
    Request& request = *text_rows[i].request;
    batch_.clear(), rows_.clear(), parts_.clear();
    texts_ = {texts[i]}, text_rows_ = {text_rows[i]};
    n_answers_ = 1;
    Status status = speculator_->plan(session_, texts_, batch_, false);
    if (status) status = compute(never);
    if (status) {
      note_computed(), hand_out();
    } else {
      const bool full = status.error().code == ErrorCode::kContextFull;
      finish(request, text_rows[i].choice, StopReason::kContextFull, full ? Status() : std::move(status));
    }
  }
}

// --- sequences and files -----------------------------------------------------------------------------------------

/// A file is of a model and of the adapters that acted.
Result<std::vector<std::byte>> Scheduler::save(SeqId seq, int32_t& n_tokens) {
  if (Status status = slots_.check_saving(seq); !status) return status.error();
  n_tokens = slots_.n_held(seq);
  return SessionInternals::save(session_, seq, slots_.key(seq));
}

Result<int32_t> Scheduler::restore(SeqId seq, std::span<const std::byte> bytes,
                                   std::span<const AdapterScale> adapters) {
  const uint64_t key = key_of(adapters);
  for (;;) {
    Status status = SessionInternals::restore(session_, seq, bytes, key);
    const bool full = !status && status.error().code == ErrorCode::kContextFull;
    if (full && slots_.give_up_one(seq)) continue;
    if (status) status = slots_.adopt(seq, key);
    if (!status) return status.error();
    return slots_.n_held(seq);
  }
}

int32_t Scheduler::erase(SeqId seq) {
  const int32_t n = slots_.n_held(seq);
  slots_.forget(seq);
  return n;
}

}  // namespace hearth
