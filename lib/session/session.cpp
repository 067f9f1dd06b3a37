// Session: owns the cache, the scratch memory and the threads of one stream of computation.
#include "hearth/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/plan.h"
#include "lib/session/rope_options.h"
#include "lib/session/session_impl.h"

namespace hearth {

ForwardContext Session::Impl::context() {
  const Model::Impl& m = ModelInternals::of(model);
  return {m.arch,
          &m.hp,
          &m.weights,
          ropes,
          shift_plan.back,
          &scratch,
          &KVCacheInternals::of(*cache),
          parallel.get(),
          {parallel.get(), &matmul_scratch, options.batch_invariant, options.exact_products},
          static_cast<kernels::KvType>(options.k_type),
          static_cast<kernels::KvType>(options.v_type),
          m.hp.causal,
          options.reuse_prefixes,
          observe_linear ? &observe_linear : nullptr,
          observe_attention ? &observe_attention : nullptr};
}

Status Session::Impl::check(std::span<const BatchToken> batch) const {
  const HParams& hp = ModelInternals::of(model).hp;
  int64_t wanted = 0;
  for (const BatchToken& token : batch) {
    if (token.id < 0 || token.id >= hp.n_vocab) {
      return Error{ErrorCode::kInvalidArgument, concat("token id ", token.id, " is not in 0..", hp.n_vocab - 1)};
    }
    if (hp.max_position > 0 && token.pos >= hp.max_position) {
      return Error{ErrorCode::kContextFull,
                   concat("position ", token.pos, " is not below ", hp.max_position, ", the positions of the model")};
    }
    wanted += token.logits;
  }
  if (wanted > options.n_logits) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("logits of ", wanted, " tokens are wanted, but n_logits is ", options.n_logits)};
  }
  if (!hp.causal && static_cast<int64_t>(batch.size()) > options.n_batch) {
    return Error{ErrorCode::kContextFull, concat("an encoder takes its texts at once: ", batch.size(),
                                                 " tokens do not fit n_batch (", options.n_batch, ")")};
  }
  return KVCacheInternals::of(*cache).check(batch);
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(const Model& model, const SessionOptions& options) {
  return SessionInternals::create(model, options, nullptr);
}

Result<Session> SessionInternals::create(const Model& model, const SessionOptions& wanted,
                                         std::shared_ptr<Parallel> threads) {
  return guard([&]() -> Result<Session> {
    const Model::Impl& m = ModelInternals::of(model);
    Result<SessionOptions> options = resolve_options(m.hp, wanted);
    if (!options) return options.error();
    auto impl = std::make_unique<Session::Impl>(model);

    impl->parallel = std::move(threads);
    if (!impl->parallel) {
      Result<std::unique_ptr<Parallel>> parallel = Parallel::create(options->n_threads, options->pool);
      if (!parallel) return parallel.error();
      impl->parallel = std::move(*parallel);
    }
    const int wanted_threads = std::exchange(options->n_threads, impl->parallel->n_threads());
    impl->options = *options;
    impl->plan = plan_memory(m, *options);
    impl->warning = warning_of(m.hp, *options, wanted_threads);

    Result<std::unique_ptr<KVCache::Impl>> cache =
        KVCache::Impl::create(cache_layers(m.hp, *options), cache_options(*options));
    if (!cache) return cache.error();
    impl->cache.emplace(std::move(*cache));

    const ScratchSizes sizes = scratch_sizes(m.hp, *options);
    Layout counting(nullptr);
    Scratch::lay_out(counting, *m.arch, m.hp, sizes);
    Result<AlignedBuffer> memory = AlignedBuffer::allocate(counting.used(), "the session's scratch memory");
    if (!memory) return memory.error();
    impl->memory = std::move(*memory);
    Layout layout(impl->memory.data());
    impl->scratch = Scratch::lay_out(layout, *m.arch, m.hp, sizes);
    if (sizes.mtp) std::fill_n(impl->scratch.mtp.held_pos, int64_t{sizes.n_seqs} * MtpScratch::kHeld, -1);
    impl->matmul_scratch.bind(impl->scratch.matmul, matmul_rows(m.hp, sizes), m.hp.widest_input, sizes.n_threads);

    for (const RopeParams& rope : m.hp.ropes) {
      const RopeOptions wanted_rope = &rope == &m.hp.ropes[0] ? options->rope : local_options(options->rope);
      impl->ropes.push_back(make_rope_table(with_options(rope, wanted_rope), m.weights, options->n_ctx));
    }
    if (Status set = impl->adapters.set(m.hp, *options, -1, options->adapters); !set) return set.error();
    return Session(std::move(impl));
  });
}

/// The parts of a batch one after the other; after an error the cache must be taken back.
Status Session::Impl::compute(std::span<const BatchToken> batch, const std::atomic<bool>* cancel) {
  ForwardContext c = context();
  c.cancel = cancel;
  if (adapters.waits_for_tokens()) look_at(batch);
  for (size_t at = 0; at < batch.size();) {
    const auto part = batch.subspan(at, std::min(batch.size() - at, static_cast<size_t>(options.n_batch)));
    if (Status status = c.cache->reserve(part); !status) return status;
    c.adapters = adapters.begin(part);
    const int rows = forward(c, part, n_rows, makes_logits(*c.hp, options));
    if (rows < 0) return Error{ErrorCode::kCancelled, "cancelled while computing"};
    if (Status fits = c.adapters != nullptr ? c.adapters->take_status() : Status(); !fits) return fits;
    at += part.size();
    n_rows += rows;
  }
  return {};
}

Status Session::decode(std::span<const BatchToken> batch, const std::atomic<bool>* cancel) {
  Impl& s = *impl_;
  if (Status status = guard([&] { return s.check(batch); }); !status) return status;
  KVCache::Impl& cache = KVCacheInternals::of(*s.cache);
  s.n_rows = 0;
  cache.begin();
  Status status = guard([&] { return s.compute(batch, cancel); });
  if (Status fits = guard([&] { return s.matmul_scratch.take_status(); }); !fits) status = std::move(fits);
  if (status) {
    cache.commit();
  } else {
    cache.undo();
    s.n_rows = 0;
  }
  return status;
}

size_t Session::n_logits() const {
  return static_cast<size_t>(impl_->n_rows);
}

std::span<const float> Session::logits(size_t i) const {
  const HParams& hp = ModelInternals::of(impl_->model).hp;
  if (i >= n_logits() || !makes_logits(hp, impl_->options)) return {};
  const auto width = static_cast<size_t>(hp.n_vocab);
  return {impl_->scratch.logits + i * width, width};
}

std::span<const float> Session::hidden(size_t i) const {
  if (i >= n_logits()) return {};
  const auto width = static_cast<size_t>(ModelInternals::of(impl_->model).hp.d_model);
  return {impl_->scratch.hidden + i * width, width};
}

KVCache& Session::cache() {
  return *impl_->cache;
}
const KVCache& Session::cache() const {
  return *impl_->cache;
}
const Model& Session::model() const {
  return impl_->model;
}
const SessionOptions& Session::options() const {
  return impl_->options;
}
std::string_view Session::warning() const {
  return impl_->warning;
}
MemoryPlan Session::plan() const {
  MemoryPlan plan = impl_->plan;
  plan.adapter_bytes = impl_->adapters.bytes();
  return plan;
}

}  // namespace hearth
