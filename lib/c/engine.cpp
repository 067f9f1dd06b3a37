// Twin of hearth/engine.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(sizeof(HearthTokenAlternative) == sizeof(hearth::TokenAlternative) &&
              offsetof(HearthTokenAlternative, logprob) == offsetof(hearth::TokenAlternative, logprob));
static_assert(HEARTH_ENGINE_EVENT_DONE == static_cast<int>(hearth::EngineEvent::Kind::kDone));

namespace hearth::c {
namespace {

void no_drafts(HearthEngineDrafts* drafts) {
  fill(drafts, {});
}

Result<EngineDrafts> engine_drafts(const HearthEngineDrafts* drafts) {
  const auto full = complete(drafts, no_drafts);
  if (!full) return full.error();
  EngineDrafts made;
  if (full->model != nullptr) made.model = full->model->model;
  const auto lookup = to_cpp(full->lookup);
  if (!lookup) return lookup.error();
  const auto options = to_cpp(full->options);
  if (!options) return options.error();
  made.lookup = *lookup;
  made.options = *options;
  made.mtp = full->mtp;
  return made;
}

Result<EngineOptions> engine_options(const HearthEngineOptions* options) {
  const auto full = complete(options, hearth_engine_options_init);
  if (!full) return full.error();
  EngineOptions made;
  auto session = to_cpp(full->session, made.session);
  if (!session) return session.error();
  made.session = std::move(*session);
  made.max_queue = full->max_queue;
  made.prompt_share = full->prompt_share;
  if (full->embedder != nullptr) {
    const auto embedder = to_cpp(full->embedder);
    if (!embedder) return embedder.error();
    made.embedder = *embedder;
  }
  if (full->drafts != nullptr) {
    auto drafts = engine_drafts(full->drafts);
    if (!drafts) return drafts.error();
    made.drafts = std::move(*drafts);
  }
  return made;
}

Result<std::optional<std::vector<AdapterScale>>> adapters_of(bool has_adapters, const HearthAdapterScale* adapters,
                                                             size_t n_adapters) {
  if (!has_adapters) return std::optional<std::vector<AdapterScale>>();
  auto made = to_cpp(adapters, n_adapters);
  if (!made) return made.error();
  return std::optional(std::move(*made));
}

/// What Engine::save() or restore() gave, for C.
Status hand_out_held(const Result<HeldSequence>& held, HearthHeldSequence* out) {
  if (!held) return held.error();
  if (out != nullptr) fill(out, {0, held->n_tokens, held->bytes});
  return {};
}

Result<EngineRequest> engine_request(const HearthEngineRequest* request) {
  const auto full = complete(request, hearth_engine_request_init);
  if (!full) return full.error();
  if (full->n_prompt > 0) {
    if (auto s = needs({{full->prompt, "prompt"}}); !s) return s.error();
  }
  auto how = to_cpp(full->generate);
  if (!how) return how.error();
  EngineRequest made;
  made.prompt.assign(full->prompt, full->prompt + full->n_prompt);
  made.generate = std::move(*how);
  made.n = full->n;
  made.priority = full->priority;
  made.reuse_prefix = full->reuse_prefix;
  made.report_prompt = full->report_prompt;
  made.n_alternatives = full->n_alternatives;
  made.drafts = full->drafts;
  made.seq = full->seq;
  auto adapters = adapters_of(full->has_adapters, full->adapters, full->n_adapters);
  if (!adapters) return adapters.error();
  made.adapters = std::move(*adapters);
  return made;
}

/// Keeps the event in the ticket's handle; allocates nothing.
bool keep_event(HearthTicket& ticket, std::optional<EngineEvent> event, HearthEngineEvent* out) {
  if (!event) return false;
  ticket.event = std::move(*event);
  const EngineEvent& e = ticket.event;
  ticket.timings = to_c(e.timings);
  HearthEngineEvent full{};
  full.kind = static_cast<int32_t>(e.kind);
  full.choice = e.choice;
  full.id = e.id;
  full.probability = e.probability;
  full.alternatives = reinterpret_cast<const HearthTokenAlternative*>(e.alternatives.data());
  full.n_alternatives = e.alternatives.size();
  full.text = lend(e.text);
  full.prompt_done = e.prompt_done;
  full.prompt_total = e.prompt_total;
  full.status = report(e.status, nullptr);
  full.message = e.status.ok() ? "" : e.status.error().message.c_str();
  full.stop_reason = static_cast<int32_t>(e.stop_reason);
  full.cached_tokens = e.cached_tokens;
  full.queued_seconds = e.queued_seconds;
  full.drafted_tokens = e.drafted_tokens;
  full.accepted_tokens = e.accepted_tokens;
  full.seq = e.seq;
  full.timings = &ticket.timings;
  fill(out, full);
  return true;
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_engine_options_init(HearthEngineOptions* options) {
  const hearth::EngineOptions defaults;
  fill(options, {0, nullptr, defaults.max_queue, defaults.prompt_share, nullptr, nullptr});
}
void hearth_engine_request_init(HearthEngineRequest* request) {
  const hearth::EngineRequest defaults;
  HearthEngineRequest full{};
  full.n = defaults.n;
  full.priority = defaults.priority;
  full.reuse_prefix = defaults.reuse_prefix;
  full.report_prompt = defaults.report_prompt;
  full.n_alternatives = defaults.n_alternatives;
  full.drafts = defaults.drafts;
  full.seq = defaults.seq;
  fill(request, full);
}

void hearth_ticket_free(HearthTicket* ticket) {
  delete ticket;
}
bool hearth_ticket_next(HearthTicket* ticket, HearthEngineEvent* out) {
  return ticket != nullptr && keep_event(*ticket, ticket->ticket.next(), out);
}
bool hearth_ticket_next_within(HearthTicket* ticket, double seconds, HearthEngineEvent* out, bool* waiting) {
  bool still = false;
  const bool came = ticket != nullptr && keep_event(*ticket, ticket->ticket.next_within(seconds, still), out);
  if (waiting != nullptr) *waiting = still;
  return came;
}
HearthCode hearth_ticket_wait(HearthTicket* ticket, HearthGeneration*** out, size_t* n, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{ticket, "ticket"}, {out, "out"}, {n, "n"}}); !s) return s;
    auto made = ticket->ticket.wait();
    if (!made) return made.error();
    std::vector<std::unique_ptr<HearthGeneration>> all;
    std::vector<HearthGeneration*> lent;
    for (hearth::Generation& one : *made) {
      all.push_back(std::make_unique<HearthGeneration>(HearthGeneration{std::move(one)}));
      lent.push_back(all.back().get());
    }
    *out = copy_of(std::span<HearthGeneration* const>(lent)).release();
    *n = lent.size();
    for (auto& one : all) (void)one.release();
    return {};
  });
}
void hearth_ticket_cancel(HearthTicket* ticket) {
  if (ticket != nullptr) ticket->ticket.cancel();
}
uint64_t hearth_ticket_id(const HearthTicket* ticket) {
  return ticket == nullptr ? 0 : ticket->ticket.id();
}

HearthCode hearth_engine_create(const HearthModel* model, const HearthEngineOptions* options, HearthEngine** out,
                                HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {out, "out"}}); !s) return s;
    const auto how = engine_options(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Engine::create(model->model, *how), out);
  });
}
void hearth_engine_free(HearthEngine* engine) {
  delete engine;
}
HearthCode hearth_engine_submit(HearthEngine* engine, const HearthEngineRequest* request, HearthTicket** out,
                                HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}, {request, "request"}, {out, "out"}}); !s) return s;
    auto what = engine_request(request);
    if (!what) return what.error();
    return hand_out_handle(engine->engine.submit(std::move(*what)), out);
  });
}
HearthCode hearth_engine_embed(HearthEngine* engine, const HearthText* texts, size_t n, float** values,
                               size_t* dimensions, int32_t** n_tokens, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}}); !s) return s;
    const auto all = texts_of(texts, n);
    if (!all) return all.error();
    return hand_out_vectors(engine->engine.embed(*all), values, dimensions, n_tokens);
  });
}
HearthCode hearth_engine_embed_tokens(HearthEngine* engine, const int32_t* ids, const size_t* lengths, size_t n,
                                      float** values, size_t* dimensions, int32_t** n_tokens, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}}); !s) return s;
    const auto all = lists_of(ids, lengths, n);
    if (!all) return all.error();
    return hand_out_vectors(engine->engine.embed_tokens(*all), values, dimensions, n_tokens);
  });
}
HearthCode hearth_engine_set_embedding_adapters(HearthEngine* engine, const HearthAdapterScale* adapters, size_t n,
                                                HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}}); !s) return s;
    const auto acting = to_cpp(adapters, n);
    if (!acting) return acting.error();
    return engine->engine.set_embedding_adapters(*acting);
  });
}
HearthCode hearth_engine_save(HearthEngine* engine, int32_t seq, const char* path, HearthHeldSequence* out,
                              HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}, {path, "path"}}); !s) return s;
    return hand_out_held(engine->engine.save(seq, path), out);
  });
}
HearthCode hearth_engine_restore(HearthEngine* engine, int32_t seq, const char* path, bool has_adapters,
                                 const HearthAdapterScale* adapters, size_t n_adapters, HearthHeldSequence* out,
                                 HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}, {path, "path"}}); !s) return s;
    const auto acting = adapters_of(has_adapters, adapters, n_adapters);
    if (!acting) return acting.error();
    return hand_out_held(engine->engine.restore(seq, path, *acting), out);
  });
}
HearthCode hearth_engine_erase(HearthEngine* engine, int32_t seq, int32_t* n_tokens, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{engine, "engine"}}); !s) return s;
    const auto n = engine->engine.erase(seq);
    if (!n) return n.error();
    if (n_tokens != nullptr) *n_tokens = *n;
    return {};
  });
}
bool hearth_engine_is_busy(const HearthEngine* engine, int32_t seq) {
  return engine != nullptr && engine->engine.is_busy(seq);
}
void hearth_engine_stats(const HearthEngine* engine, HearthEngineStats* out) {
  if (engine == nullptr || out == nullptr) return;
  const hearth::EngineStats s = engine->engine.stats();
  HearthKVCacheStats* cache = out->size >= offsetof(HearthEngineStats, drafts) ? out->cache : nullptr;
  HearthSpeculationStats* drafts = out->size >= sizeof(HearthEngineStats) ? out->drafts : nullptr;
  HearthEngineStats full{};
  full.active = s.active;
  full.waiting = s.waiting;
  full.finished = s.finished;
  full.failed = s.failed;
  full.cancelled = s.cancelled;
  full.steps = s.steps;
  full.prompt_tokens = s.prompt_tokens;
  full.cached_tokens = s.cached_tokens;
  full.generated_tokens = s.generated_tokens;
  full.busy_seconds = s.busy_seconds;
  full.cache = cache;
  full.drafts = drafts;
  fill(out, full);
  fill(cache, to_c(s.cache));
  fill(drafts, to_c(s.drafts, ""));
}
const HearthModel* hearth_engine_model(const HearthEngine* engine) {
  return engine == nullptr ? nullptr : &engine->model;
}
void hearth_engine_options(const HearthEngine* engine, HearthEngineOptions* out, HearthSessionOptions* session) {
  if (engine == nullptr) return;
  const hearth::EngineOptions& options = engine->engine.options();
  fill(out, {0, nullptr, options.max_queue, options.prompt_share, nullptr, nullptr});
  fill(session, to_c(options.session));
}

}  // extern "C"
