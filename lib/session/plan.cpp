// The memory plan: the same layouts that allocate, run without memory.
#include "lib/session/plan.h"

#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/session/adapter_set.h"

namespace hearth {
namespace {

/// Bounds that the plan allows a program for itself; measured: 5 MB of code and libraries (8 MB in the tool, which can
/// download), 4 MB of heap that the reading of a vocabulary of 128,000 tokens leaves free, some KB of stack a thread.
constexpr uint64_t kProgramBytes = 16u << 20;
constexpr uint64_t kThreadBytes = 128u << 10;

constexpr int32_t kDefaultContext = 4096;
constexpr int kMaxThreads = 1024;

Error out_of_range(const char* option, int64_t value, int64_t lo, int64_t hi, const char* what_hi_is = "") {
  return {ErrorCode::kInvalidArgument, concat(option, ": ", value, " is not in ", lo, "..", hi, what_hi_is)};
}

}  // namespace

Result<SessionOptions> resolve_options(const HParams& hp, const SessionOptions& options) {
  constexpr int32_t kMaxSlots = 1 << 27;
  constexpr int32_t kMaxSequences = 1 << 16;
  constexpr int32_t kMaxBatch = 1 << 16;
  SessionOptions o = options;
  if (hp.d_target > 0) {
    return Error{ErrorCode::kUnsupported,
                 "an assistant model computes nothing by itself: it drafts for the model that "
                 "it was made for (Speculator::draft_model, --draft)"};
  }
  if (o.n_ctx == 0) o.n_ctx = std::min(hp.n_ctx_train, kDefaultContext);
  if (o.n_ctx < 1 || o.n_ctx > kMaxSlots) return out_of_range("n_ctx", o.n_ctx, 1, kMaxSlots);
  if (o.n_seqs < 1 || o.n_seqs > kMaxSequences) return out_of_range("n_seqs", o.n_seqs, 1, kMaxSequences);
  if (o.n_batch < 1 || o.n_batch > kMaxBatch) return out_of_range("n_batch", o.n_batch, 1, kMaxBatch);
  if (!hp.causal) o.n_batch = std::max(o.n_batch, std::min(o.n_ctx, kMaxBatch));  // an encoder sees a sequence at once
  constexpr int32_t kTokensOfPage = KVCache::kPageTokens;
  if (o.reuse_prefixes) o.n_batch = (o.n_batch + kTokensOfPage - 1) / kTokensOfPage * kTokensOfPage;
  if (!o.reuse_prefixes) o.n_batch = std::min(o.n_batch, o.n_ctx);
  if (o.n_kept_prefixes < 0) o.n_kept_prefixes = o.reuse_prefixes ? 2 * o.n_seqs : 0;
  if (o.n_kept_prefixes > 2 * kMaxSequences)
    return out_of_range("n_kept_prefixes", o.n_kept_prefixes, 0, 2 * kMaxSequences);
  if (o.n_logits == 0) o.n_logits = o.n_seqs;
  if (o.n_logits < 1 || o.n_logits > o.n_ctx) return out_of_range("n_logits", o.n_logits, 1, o.n_ctx, " (n_ctx)");
  for (const auto& [name, type] : {std::pair("k_type", o.k_type), std::pair("v_type", o.v_type)}) {
    if (static_cast<int>(type) < kernels::kKvTypeCount) continue;
    return out_of_range(name, static_cast<int64_t>(type), 0, kernels::kKvTypeCount - 1);
  }
  if (o.mtp && !hp.has_mtp) {
    return Error{ErrorCode::kUnsupported, "mtp: the model has no layer that predicts further tokens"};
  }
  if (o.pool) o.n_threads = o.pool->n_threads;
  if (o.n_threads == 0) o.n_threads = default_thread_count();
  if (o.n_threads < 1 || o.n_threads > kMaxThreads) return out_of_range("n_threads", o.n_threads, 1, kMaxThreads);
  return o;
}

std::string warning_of(const HParams& hp, const SessionOptions& o, int wanted_threads) {
  std::string text;
  const bool is_stretched =
      o.rope.scaling != RopeScalingType::kModel || o.rope.freq_base != 0 || o.rope.freq_scale != 0;
  if (hp.n_ctx_train > 0 && o.n_ctx > int64_t{hp.n_ctx_train} * o.n_seqs && !is_stretched) {
    text = concat("the model was trained for a context of ", hp.n_ctx_train, " tokens; beyond that, of ", o.n_ctx,
                  ", its text may fall apart");
  }
  if (o.n_threads < wanted_threads) {
    concat_to(text, (text.empty() ? "" : "; "), "the system gave ", o.n_threads, " of ", wanted_threads,
              " threads (a limit of processes or memory)");
  }
  return text;
}

std::vector<CacheLayer> cache_layers(const HParams& hp, const SessionOptions& options) {
  std::vector<CacheLayer> layers;
  layers.reserve(hp.layers.size());
  bool shared = false;  // a layer that attends to an earlier one's needs them until then
  for (int i = 0; i < hp.n_layers; ++i) shared = shared || hp.layers[static_cast<size_t>(i)].kv_layer != i;
  for (int i = 0; i < hp.n_layers; ++i) {
    const LayerShape& layer = hp.layers[static_cast<size_t>(i)];
    if (layer.recurrent) {
      layers.push_back({0, 0, 0, 0, -1, hp.recurrent.state_floats()});
      continue;
    }
    int source = layer.kv_layer;
    // An encoder computes a text at once, so that no layer's keys and values are needed when the next layer writes its
    // own.
    for (int j = 0; !hp.causal && !shared && j < source; ++j) {
      const LayerShape& earlier = hp.layers[static_cast<size_t>(j)];
      if (!earlier.recurrent && earlier.same_kv(layer)) source = j;
    }
    layers.push_back({layer.n_kv_heads, layer.k_dim, layer.v_dim, layer.window, source < i ? source : -1, 0});
  }
  if (options.mtp) {
    const LayerShape& layer = hp.layers.back();
    layers.push_back({layer.n_kv_heads, layer.k_dim, layer.v_dim, layer.window, -1, 0});
  }
  return layers;
}

CacheOptions cache_options(const SessionOptions& o) {
  return {o.n_ctx, o.n_seqs, o.n_batch, o.k_type, o.v_type, o.n_kept_prefixes};
}

ScratchSizes scratch_sizes(const HParams& hp, const SessionOptions& o) {
  return {o.n_batch, o.n_logits, o.n_seqs, o.n_ctx, o.n_threads, makes_logits(hp, o), o.mtp};
}

MemoryPlan plan_memory(const Model::Impl& model, const SessionOptions& options) {
  MemoryPlan plan;
  plan.weights_bytes = model.file.file_bytes();
  plan.kv_cache_bytes = KVCache::Impl::bytes_needed(cache_layers(model.hp, options), cache_options(options));
  Layout layout(nullptr);
  Scratch::lay_out(layout, *model.arch, model.hp, scratch_sizes(model.hp, options));
  plan.scratch_bytes = layout.used();
  plan.tables_bytes = model.weights.copied_bytes + model.weights.layers.size() * sizeof(LayerWeights);
  if (model.tokenizer) plan.tables_bytes += model.tokenizer->memory_bytes();
  plan.adapter_bytes = AdapterSet::bytes_of(model.hp, options, options.adapters);
  plan.process_bytes = kProgramBytes + static_cast<uint64_t>(options.n_threads) * kThreadBytes;
  return plan;
}

Result<MemoryPlan> Model::plan(const SessionOptions& options) const {
  return guard([&]() -> Result<MemoryPlan> {
    Result<SessionOptions> resolved = resolve_options(impl_->hp, options);
    if (!resolved) return resolved.error();
    return plan_memory(*impl_, *resolved);
  });
}

Result<MemoryPlan> Model::plan(const std::string& path, const SessionOptions& options) {
  return guard([&]() -> Result<MemoryPlan> {
    Result<GgufFile> file = GgufFile::open(path, {.metadata_only = true});
    if (!file) return file.error();
    Result<Impl> impl = bind_model(std::move(*file));
    if (!impl) return impl.error();
    Result<Tokenizer> tokenizer = Tokenizer::from_gguf(impl->file);
    if (!tokenizer) return tokenizer.error();
    if (Status status = adopt_tokenizer(*impl, std::move(*tokenizer)); !status) return status.error();
    Result<SessionOptions> resolved = resolve_options(impl->hp, options);
    if (!resolved) return resolved.error();
    return plan_memory(*impl, *resolved);
  });
}

}  // namespace hearth
