// Engine: the thread around the scheduler, and the way in.
#include "hearth/engine.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/signals.h"
#include "lib/engine/scheduler.h"
#include "lib/engine/ticket_impl.h"
#include "lib/io/atomic_file.h"
#include "lib/io/file_bytes.h"

namespace hearth {
namespace {

/// Work for the engine's thread between two steps, with who waits for it.
struct Job {
  std::function<Status()> work;
  SeqId seq = -1;  ///< no request may hold it; -1: none
  Status result = Error{ErrorCode::kCancelled, "the engine ends"};
  bool done = false;
};

Error invalid_request(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Error no_embedder() {
  return {ErrorCode::kUnsupported, "the engine was made without an embedder"};
}

Status check(const EngineOptions& options) {
  if (options.max_queue < 1) return invalid_request(concat("max_queue = ", options.max_queue, " is below 1"));
  if (!(options.prompt_share >= 1)) return invalid_request("prompt_share is below 1");
  if (options.session.hidden_only) return invalid_request("an engine needs logits: hidden_only must be false");
  return {};
}

/// Rows of logits for all answers, and for drafts of a few of them: with many at once, each has short ones.
int32_t rows_for(const EngineOptions& options) {
  constexpr int32_t kDrafting = 4;
  const int32_t n_seqs = std::clamp(options.session.n_seqs, 1, 1 << 16);
  const int32_t longest =
      options.drafts ? std::clamp(options.drafts->options.max_draft, 0, KVCache::kRollbackTokens) : 0;
  return n_seqs + std::min(n_seqs, kDrafting) * longest;
}

Result<std::optional<Speculator>> make_speculator(Session& session, const std::optional<EngineDrafts>& drafts) {
  if (!drafts) return std::optional<Speculator>();
  Result<Speculator> made = drafts->model ? Speculator::draft_model(session, *drafts->model, drafts->options)
                            : drafts->mtp ? Speculator::mtp(session, drafts->options)
                                          : Speculator::lookup(drafts->lookup, drafts->options);
  if (!made) return made.error();
  return std::optional<Speculator>(std::move(*made));
}

}  // namespace

struct Engine::Impl {
  explicit Impl(const Model& shared) : model(shared) {}
  ~Impl();

  Status start();
  void run();
  void look();
  void take_in();
  Job* next_job();
  Status run_job(Job job);
  template <typename Text, typename EmbedOne>
  Result<std::vector<Embedding>> embed_all(std::span<const Text> texts, EmbedOne embed_one);
  template <typename Work>
  auto with_sequence(SeqId seq, Work task) -> decltype(task());
  void step();
  Status check_sequence(SeqId seq) const;
  Status check_request(const EngineRequest& request) const;
  Result<std::unique_ptr<Request>> make_request(EngineRequest asked);

  static void* thread_main(void* engine) {
    static_cast<Impl*>(engine)->run();
    return nullptr;
  }

  Model model;
  EngineOptions options;
  std::unique_ptr<Scheduler> scheduler;  ///< of the thread alone, once it runs; null for an encoder
  std::optional<Embedder> embedder;      ///< of the thread alone

  mutable std::mutex mutex;  ///< of all that follows
  std::condition_variable work, job_done;
  std::vector<std::unique_ptr<Request>> incoming;
  std::deque<Job*> jobs;
  EngineStats stats;
  std::vector<bool> taken;  ///< [n_seqs], with `stats`
  uint64_t last_id = 0;
  bool stopping = false;

  std::atomic<bool> stop{false};  ///< gives up the step that runs
  pthread_t thread{};
  bool started = false;
};

Engine::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    stop.store(true);
    work.notify_one();
  }
  if (started) pthread_join(thread, nullptr);
}

/// Every signal is blocked in the thread, so that a host's handlers run on its own threads.
Status Engine::Impl::start() {
  const BlockedSignals blocked;
  const int failure = pthread_create(&thread, nullptr, thread_main, this);
  if (failure != 0) return Error{ErrorCode::kIo, concat("cannot start the engine's thread: error ", failure)};
  started = true;
  return {};
}

void Engine::Impl::run() {
  std::unique_lock lock(mutex);
  const auto busy = [this] { return scheduler && scheduler->has_work(); };
  for (;;) {
    work.wait(lock, [&] { return stopping || !incoming.empty() || !jobs.empty() || busy(); });
    if (stopping) break;
    take_in();
    Job* job = next_job();
    lock.unlock();
    if (job != nullptr) job->result = guard([job] { return job->work(); });
    if (busy()) step();
    lock.lock();
    if (job != nullptr) job->done = true, job_done.notify_all();
    if (!scheduler) continue;
    look();  // before a reader learns of what is counted
    lock.unlock();
    scheduler->deliver();
    lock.lock();
  }
  take_in();
  if (scheduler) {
    const Status ended = guard([this]() -> Status { return scheduler->end_all(StopReason::kCancelled), Status(); });
    if (!ended) scheduler->drop_all();
    scheduler->deliver();
  }
  for (Job* job : jobs) job->done = true;
  jobs.clear();
  job_done.notify_all();
}

/// Notes how the scheduler stands.
void Engine::Impl::look() {
  stats = scheduler->stats();
  for (size_t i = 0; i < taken.size(); ++i) taken[i] = !scheduler->is_idle(static_cast<SeqId>(i));
}

/// The first that need not wait for a sequence.
Job* Engine::Impl::next_job() {
  const auto found = std::find_if(jobs.begin(), jobs.end(),
                                  [this](const Job* job) { return job->seq < 0 || scheduler->is_idle(job->seq); });
  if (found == jobs.end()) return nullptr;
  Job* job = *found;
  jobs.erase(found);
  return job;
}

/// Hands new requests to the scheduler.
void Engine::Impl::take_in() {
  for (auto& request : incoming) {
    if (!guard([&]() -> Status { return scheduler->add(std::move(request)), Status(); })) request->channel->fail();
  }
  incoming.clear();
}

void Engine::Impl::step() {
  const Status status = guard([this]() -> Status {
    scheduler->step(stop);
    return {};
  });
  if (status) return;
  if (!guard([&]() -> Status { return scheduler->fail_all(status.error()), Status(); })) scheduler->drop_all();
}

/// Whether there is such a sequence.
Status Engine::Impl::check_sequence(SeqId seq) const {
  if (!scheduler) {
    return Error{ErrorCode::kUnsupported,
                 concat("architecture ", model.info().architecture, " is an encoder and generates no text")};
  }
  if (seq >= 0 && seq < options.session.n_seqs) return {};
  return invalid_request(concat("seq = ", seq, " is outside 0..", options.session.n_seqs - 1));
}

Status Engine::Impl::check_request(const EngineRequest& request) const {
  if (Status status = check_sequence(std::max(request.seq, 0)); !status) return status;
  if (request.n < 1 || request.n > options.session.n_seqs) {
    return invalid_request(concat("n = ", request.n, " is outside 1..", options.session.n_seqs, " (n_seqs)"));
  }
  for (size_t i = 0; request.adapters && i < request.adapters->size(); ++i) {
    if ((*request.adapters)[i].adapter.info().invocation_tokens.empty()) continue;
    return Error{ErrorCode::kUnsupported, "an adapter with invocation tokens cannot be chosen by a request"};
  }
  if (request.n > 1 && request.generate.own_sampler != nullptr)
    return invalid_request("own_sampler serves one answer alone");
  if (request.n > 1 && request.seq >= 0) return invalid_request("seq holds one answer alone");
  if (request.prompt.size() > static_cast<size_t>(options.session.n_ctx)) {
    return Error{ErrorCode::kContextFull, concat("the prompt has ", request.prompt.size(),
                                                 " tokens, but the context holds ", options.session.n_ctx)};
  }
  return {};
}

Result<std::unique_ptr<Request>> Engine::Impl::make_request(EngineRequest asked) {
  if (Status status = check_request(asked); !status) return status.error();
  auto request = std::make_unique<Request>();
  request->channel = std::make_shared<EventChannel>();
  GenerateOptions generate = asked.generate;
  generate.on_prompt = {};
  generate.on_token = {};
  for (int32_t i = 0; i < asked.n; ++i) {
    Result<Generator> generator = Generator::create(model, asked.prompt, generate);
    if (!generator) return generator.error();
    request->choices.emplace_back(std::move(*generator));
    ++generate.sampler.seed;
  }
  request->asked = std::move(asked);
  return request;
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::create(const Model& model, const EngineOptions& options) {
  return guard([&]() -> Result<Engine> {
    if (Status status = check(options); !status) return status.error();
    auto impl = std::make_unique<Impl>(model);
    impl->options = options;
    SessionOptions& session = impl->options.session;
    if (model.info().causal) {
      session.n_logits = std::max(session.n_logits, rows_for(options));
      if (session.n_ctx > 0) session.n_logits = std::min(session.n_logits, std::max(session.n_ctx, session.n_seqs));
      session.reuse_prefixes = true;
      session.mtp = session.mtp || (options.drafts && options.drafts->mtp && !options.drafts->model);
      Result<Session> made = Session::create(model, session);
      if (!made) return made.error();
      session = made->options();
      Result<std::optional<Speculator>> speculator = make_speculator(*made, options.drafts);
      if (!speculator) return speculator.error();
      impl->scheduler = std::make_unique<Scheduler>(std::move(*made), std::move(*speculator), impl->options);
    } else if (!options.embedder) {
      return Error{ErrorCode::kUnsupported, concat("architecture ", model.info().architecture,
                                                   " is an encoder: an engine over it needs EngineOptions::embedder")};
    }
    if (options.embedder) {
      Result<Embedder> made = Embedder::create(model, *options.embedder);
      if (!made) return made.error();
      impl->embedder.emplace(std::move(*made));
    }
    if (impl->scheduler) {
      impl->taken.resize(static_cast<size_t>(session.n_seqs));
      impl->look();
    }
    if (Status status = impl->start(); !status) return status.error();
    return Engine(std::move(impl));
  });
}

Result<Ticket> Engine::submit(EngineRequest asked) {
  return guard([&]() -> Result<Ticket> {
    auto ticket = std::make_unique<Ticket::Impl>();
    ticket->prompt = asked.prompt;
    ticket->n = asked.n;
    Result<std::unique_ptr<Request>> request = impl_->make_request(std::move(asked));
    if (!request) return request.error();
    ticket->channel = (*request)->channel;
    const std::lock_guard lock(impl_->mutex);
    const auto n_waiting = static_cast<int32_t>(impl_->incoming.size()) + impl_->stats.waiting;
    if (n_waiting >= impl_->options.max_queue) {
      return Error{ErrorCode::kLimit, concat(n_waiting, " requests wait already (max_queue)")};
    }
    ticket->id = (*request)->id = ++impl_->last_id;
    impl_->incoming.push_back(std::move(*request));
    impl_->work.notify_one();
    return Ticket(std::move(ticket));
  });
}

/// Queues a job and waits for it.
Status Engine::Impl::run_job(Job job) {
  std::unique_lock lock(mutex);
  if (stopping) return job.result;
  jobs.push_back(&job);
  work.notify_one();
  job_done.wait(lock, [&] { return job.done; });
  return std::move(job.result);
}

template <typename Text, typename EmbedOne>
Result<std::vector<Embedding>> Engine::Impl::embed_all(std::span<const Text> texts, EmbedOne embed_one) {
  if (!embedder) return no_embedder();
  return guard([&]() -> Result<std::vector<Embedding>> {
    std::vector<Embedding> vectors;
    for (const Text& text : texts) {
      const Status status = run_job({.work = [&]() -> Status {
        auto made = embed_one(*embedder, text);
        if (!made) return made.error();
        vectors.push_back(std::move(*made));
        return {};
      }});
      if (!status) return status.error();
    }
    return vectors;
  });
}

Result<std::vector<Embedding>> Engine::embed(std::span<const std::string> texts) {
  return impl_->embed_all(
      texts, [](Embedder& embedder, const std::string& text) { return embedder.embed(std::string_view(text)); });
}

Result<std::vector<Embedding>> Engine::embed_tokens(std::span<const std::vector<Token>> texts) {
  return impl_->embed_all(texts, [](Embedder& embedder, const std::vector<Token>& text) -> Result<Embedding> {
    auto vectors = embedder.embed_tokens({&text, 1});
    if (!vectors) return vectors.error();
    return std::move(vectors->front());
  });
}

Status Engine::set_embedding_adapters(std::span<const AdapterScale> adapters) {
  return guard([&]() -> Status {
    if (!impl_->embedder) return no_embedder();
    return impl_->run_job({.work = [&] { return impl_->embedder->set_adapters(adapters); }});
  });
}

/// What `task` gives on the engine's thread while no request holds the sequence.
template <typename Work>
auto Engine::Impl::with_sequence(SeqId seq, Work task) -> decltype(task()) {
  if (Status status = check_sequence(seq); !status) return status.error();
  std::optional<decltype(task())> made;
  const Status status = run_job({.work = [&]() -> Status { return made.emplace(task()), Status(); }, .seq = seq});
  if (!status) return status.error();
  return std::move(*made);
}

// The file is written and read here; only what concerns the cache is left to the engine's thread.

Result<HeldSequence> Engine::save(SeqId seq, const std::string& path) {
  return guard([&]() -> Result<HeldSequence> {
    HeldSequence held;
    const auto bytes = impl_->with_sequence(seq, [&] { return impl_->scheduler->save(seq, held.n_tokens); });
    if (!bytes) return bytes.error();
    held.bytes = bytes->size();
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file) return file.error();
    Status status = file->write(*bytes);
    if (status) status = file->commit();
    if (!status) return status.error();
    return held;
  });
}

Result<HeldSequence> Engine::restore(SeqId seq, const std::string& path,
                                     const std::optional<std::vector<AdapterScale>>& adapters) {
  return guard([&]() -> Result<HeldSequence> {
    const Result<FileBytes> file = FileBytes::open(path, false);
    if (!file) return file.error();
    const std::span<const AdapterScale> acting = adapters ? *adapters : impl_->options.session.adapters;
    const auto n_tokens =
        impl_->with_sequence(seq, [&] { return impl_->scheduler->restore(seq, file->bytes(), acting); });
    if (!n_tokens) return Error{n_tokens.error().code, concat(path, ": ", n_tokens.error().message)};
    return HeldSequence{*n_tokens, file->bytes().size()};
  });
}

Result<int32_t> Engine::erase(SeqId seq) {
  return guard([&]() -> Result<int32_t> {
    return impl_->with_sequence(seq, [&]() -> Result<int32_t> { return impl_->scheduler->erase(seq); });
  });
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl_->mutex);
  EngineStats stats = impl_->stats;
  stats.waiting += static_cast<int32_t>(impl_->incoming.size());
  return stats;
}

bool Engine::is_busy(SeqId seq) const {
  const std::lock_guard lock(impl_->mutex);
  return seq >= 0 && static_cast<size_t>(seq) < impl_->taken.size() && impl_->taken[static_cast<size_t>(seq)];
}

const Model& Engine::model() const {
  return impl_->model;
}
const EngineOptions& Engine::options() const {
  return impl_->options;
}

}  // namespace hearth
