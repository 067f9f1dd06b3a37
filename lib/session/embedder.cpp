// Embedder: several texts as sequences of one decode(), their hidden states pooled to one vector each.
#include "hearth/embedder.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "hearth/session.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/model/model_impl.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

constexpr int32_t kMaxTexts = 64;  ///< of one batch

/// Room for `needed`, and for what comes next: the double of what was there, up to `usual`.
int32_t grown(int32_t had, int32_t needed, int32_t usual) {
  return needed <= had ? had : std::max(needed, std::min(2 * had, usual));
}

/// y = x W^T + b for one row.
std::vector<float> apply(const ForwardContext& c, const Linear& w, std::span<const float> x) {
  std::vector<float> y(static_cast<size_t>(w.w.rows));
  linear(c, {x.data(), w.w.cols, 1}, {{&w, y.data(), w.w.rows}});
  return y;
}

void normalize(std::span<float> x) {
  double squares = 0;
  for (const float value : x) squares += double{value} * double{value};
  if (!(squares > 0)) return;
  const double scale = 1.0 / std::sqrt(squares);
  for (float& value : x) value = static_cast<float>(value * scale);
}

Pooling chosen_pooling(const Model& model, const EmbedderOptions& options) {
  if (options.pooling != Pooling::kNone) return options.pooling;
  return model.info().pooling != Pooling::kNone ? model.info().pooling : Pooling::kMean;
}

/// Length of the model's vectors before truncation.
int64_t full_width(const Weights& weights, int d_model, Pooling pooling) {
  if (pooling == Pooling::kRank) return weights.rank_output.w.rows;
  int64_t width = d_model;
  for (const Linear& linear : weights.pooled) width = linear ? linear.w.rows : width;
  return width;
}

}  // namespace

/// Texts [first, end) of a call, computed together.
struct TextRange {
  size_t first = 0;
  size_t end = 0;
  int32_t n_tokens = 0;
};

struct Embedder::Impl {
  Model model;
  EmbedderOptions options;
  Pooling pooling = Pooling::kMean;
  int32_t width = 0;
  std::optional<Session> session;  ///< with room for what came so far; made again for what does not fit

  bool wants(size_t token, size_t n_tokens) const {
    if (pooling == Pooling::kMean) return true;
    return token == (takes_last() ? n_tokens - 1 : 0);
  }

  /// Rerankers score the first token, decoders the one that has seen all others (Qwen 3).
  bool takes_last() const {
    return pooling == Pooling::kLast || (pooling == Pooling::kRank && ModelInternals::of(model).hp.causal);
  }

  Status make_session(int32_t n_tokens, int32_t n_texts);
  Status make_room(std::span<const std::vector<Token>> texts);
  TextRange next_range(std::span<const std::vector<Token>> texts, size_t first) const;
  Status compute(std::span<const std::vector<Token>> texts, const TextRange& range);
  std::vector<float> pool(size_t first_row, size_t n_rows) const;
  Status take_status();
  std::vector<float> finish(std::vector<float> pooled, SeqId seq, int32_t n_tokens);
};

Status Embedder::Impl::make_session(int32_t n_tokens, int32_t n_texts) {
  const int32_t n_ctx = session ? session->options().n_ctx : 0, n_seqs = session ? session->options().n_seqs : 0;
  if (n_ctx >= n_tokens && n_seqs >= n_texts) return {};
  session.reset();
  SessionOptions wanted;
  wanted.n_ctx = grown(n_ctx, n_tokens, options.batch_tokens);
  wanted.n_seqs = grown(n_seqs, n_texts, kMaxTexts);
  wanted.n_logits = pooling == Pooling::kMean ? wanted.n_ctx : std::min(wanted.n_ctx, kMaxTexts);
  wanted.k_type = wanted.v_type = KVType::kF32;
  wanted.n_threads = options.n_threads;
  wanted.exact_products = options.exact_products;
  wanted.adapters = options.adapters;
  wanted.hidden_only = true;
  wanted.pool = options.pool;
  Result<Session> made = Session::create(model, wanted);
  if (!made) return made.error();
  session.emplace(std::move(*made));
  return {};
}

/// As many texts as fit a batch, at least one.
TextRange Embedder::Impl::next_range(std::span<const std::vector<Token>> texts, size_t first) const {
  TextRange range{first, first, 0};
  while (range.end < texts.size() && range.end - first < static_cast<size_t>(kMaxTexts)) {
    const auto n = static_cast<int32_t>(texts[range.end].size());
    if (range.end > first && range.n_tokens + n > options.batch_tokens) break;
    range.n_tokens += n;
    ++range.end;
  }
  return range;
}

/// A session that holds every batch of these texts.
Status Embedder::Impl::make_room(std::span<const std::vector<Token>> texts) {
  int32_t n_tokens = 1, n_texts = 1;
  for (size_t at = 0; at < texts.size();) {
    const TextRange range = next_range(texts, at);
    n_tokens = std::max(n_tokens, range.n_tokens);
    n_texts = std::max(n_texts, static_cast<int32_t>(range.end - range.first));
    at = range.end;
  }
  return make_session(n_tokens, n_texts);
}

Status Embedder::Impl::compute(std::span<const std::vector<Token>> texts, const TextRange& range) {
  std::vector<BatchToken> batch;
  batch.reserve(static_cast<size_t>(range.n_tokens));
  for (size_t i = range.first; i < range.end; ++i) {
    for (size_t t = 0; t < texts[i].size(); ++t) {
      batch.push_back(
          {texts[i][t], static_cast<int32_t>(t), static_cast<SeqId>(i - range.first), wants(t, texts[i].size())});
    }
  }
  session->cache().clear();
  return session->decode(batch);
}

/// The mean of some rows of hidden states; cls and last have one row.
std::vector<float> Embedder::Impl::pool(size_t first_row, size_t n_rows) const {
  std::vector<double> sum(session->hidden(first_row).size(), 0.0);
  for (size_t row = first_row; row < first_row + n_rows; ++row) {
    const std::span<const float> hidden = session->hidden(row);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += double{hidden[i]};
  }
  std::vector<float> mean(sum.size());
  for (size_t i = 0; i < sum.size(); ++i) mean[i] = static_cast<float>(sum[i] / static_cast<double>(n_rows));
  return mean;
}

/// The layers after pooling, with the adapters of the text's last token; then truncation and normalization.
std::vector<float> Embedder::Impl::finish(std::vector<float> pooled, SeqId seq, int32_t n_tokens) {
  Session::Impl& s = SessionInternals::of(*session);
  ForwardContext c = s.context();
  const BatchToken row{.id = 0, .pos = n_tokens - 1, .seq = seq};
  c.adapters = s.adapters.begin({&row, 1});
  const Weights& w = ModelInternals::of(model).weights;
  if (pooling == Pooling::kRank) {
    if (w.rank) {
      pooled = apply(c, w.rank, pooled);
      for (float& value : pooled) value = std::tanh(value);
    }
    std::vector<float> scores = apply(c, w.rank_output, pooled);
    if (ModelInternals::of(model).hp.causal)
      kernels::kernels().softmax(scores.data(), static_cast<int64_t>(scores.size()));
    return scores;
  }
  for (const Linear& linear : w.pooled) {
    if (linear) pooled = apply(c, linear, pooled);
  }
  pooled.resize(static_cast<size_t>(width));
  if (options.normalize) normalize(pooled);
  return pooled;
}

/// Of the layers after pooling.
Status Embedder::Impl::take_status() {
  Session::Impl& s = SessionInternals::of(*session);
  if (Status fits = s.matmul_scratch.take_status(); !fits) return fits;
  return s.adapters.take_status();
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Result<Embedder> Embedder::create(const Model& model, const EmbedderOptions& options) {
  return guard([&]() -> Result<Embedder> {
    constexpr int32_t kMaxBatchTokens = 1 << 16;
    const Pooling pooling = chosen_pooling(model, options);
    const Weights& weights = ModelInternals::of(model).weights;
    if (pooling == Pooling::kRank && !weights.rank_output) {
      return Error{ErrorCode::kUnsupported, "pooling: the model has no ranking head (tensor cls.output.weight)"};
    }
    const int64_t width = full_width(weights, model.info().d_model, pooling);
    if (options.dimensions < 0 || options.dimensions > width) {
      return Error{ErrorCode::kInvalidArgument, concat("dimensions: ", options.dimensions, " is not in 0..", width)};
    }
    if (options.batch_tokens < 1 || options.batch_tokens > kMaxBatchTokens) {
      return Error{ErrorCode::kInvalidArgument,
                   concat("batch_tokens: ", options.batch_tokens, " is not in 1..", kMaxBatchTokens)};
    }
    auto impl = std::unique_ptr<Impl>(new Impl{model, options, pooling, 0, std::nullopt});
    const bool cut = options.dimensions > 0 && pooling != Pooling::kRank;
    impl->width = cut ? options.dimensions : static_cast<int32_t>(width);
    if (Status status = impl->make_session(1, 1); !status) return status.error();
    return Embedder(std::move(impl));
  });
}

Result<std::vector<Embedding>> Embedder::embed_tokens(std::span<const std::vector<Token>> texts) {
  return guard([&]() -> Result<std::vector<Embedding>> {
    const auto n_max = static_cast<size_t>(impl_->model.info().n_ctx_train);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].empty()) {
        return Error{ErrorCode::kInvalidArgument, concat("text ", i, " has no tokens")};
      }
      if (texts[i].size() > n_max) {
        return Error{ErrorCode::kContextFull,
                     concat("text ", i, " has ", texts[i].size(), " tokens, but the model's context holds ", n_max)};
      }
    }
    if (Status status = impl_->make_room(texts); !status) return status.error();
    std::vector<Embedding> embeddings(texts.size());
    for (size_t at = 0; at < texts.size();) {
      const TextRange range = impl_->next_range(texts, at);
      if (Status status = impl_->compute(texts, range); !status) return status.error();
      size_t row = 0;
      for (; at < range.end; ++at) {
        const size_t n_rows = impl_->pooling == Pooling::kMean ? texts[at].size() : 1;
        const auto n_tokens = static_cast<int32_t>(texts[at].size());
        embeddings[at] = {impl_->finish(impl_->pool(row, n_rows), static_cast<SeqId>(at - range.first), n_tokens),
                          n_tokens};
        row += n_rows;
      }
      if (Status status = impl_->take_status(); !status) return status.error();
    }
    return embeddings;
  });
}

Result<std::vector<Embedding>> Embedder::embed(std::span<const std::string> texts) {
  return guard([&]() -> Result<std::vector<Embedding>> {
    const Tokenizer& tokenizer = impl_->model.tokenizer();
    const auto n_max = static_cast<size_t>(impl_->model.info().n_ctx_train);
    std::vector<std::vector<Token>> all;
    all.reserve(texts.size());
    for (const std::string& text : texts) {
      Result<std::vector<Token>> ids = tokenizer.encode(text, {.add_special = true});
      if (!ids) return ids.error();
      if (ids->empty() && tokenizer.eos()) ids->push_back(*tokenizer.eos());
      if (impl_->options.truncate && ids->size() > n_max) {
        const Token last = ids->back();  // the separator or end token stays
        ids->resize(n_max);
        if (tokenizer.is_control(last)) ids->back() = last;
      }
      all.push_back(std::move(*ids));
    }
    return embed_tokens(all);
  });
}

Result<std::vector<Embedding>> Embedder::embed(std::initializer_list<std::string> texts) {
  return guard([&] { return embed(std::span<const std::string>(texts.begin(), texts.size())); });
}

Result<Embedding> Embedder::embed(std::string_view text) {
  return guard([&]() -> Result<Embedding> {
    const std::string one(text);
    Result<std::vector<Embedding>> all = embed(std::span<const std::string>(&one, 1));
    if (!all) return all.error();
    return std::move(all->front());
  });
}

Status Embedder::set_adapters(std::span<const AdapterScale> adapters) {
  return guard([&]() -> Status {
    std::vector<AdapterScale> kept(adapters.begin(), adapters.end());
    if (impl_->session) {
      if (Status set = impl_->session->set_adapters(adapters); !set) return set;
    }
    impl_->options.adapters = std::move(kept);
    return {};
  });
}

Status Embedder::set_adapters(std::initializer_list<AdapterScale> adapters) {
  return set_adapters(std::span(adapters.begin(), adapters.size()));
}

std::span<const AdapterScale> Embedder::adapters() const {
  return impl_->options.adapters;
}

int32_t Embedder::dimensions() const {
  return impl_->width;
}

Pooling Embedder::pooling() const {
  return impl_->pooling;
}

MemoryPlan Embedder::plan() const {
  return impl_->session ? impl_->session->plan() : MemoryPlan{};
}

float cosine_similarity(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return 0.0f;
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * double{b[i]};
    aa += double{a[i]} * double{a[i]};
    bb += double{b[i]} * double{b[i]};
  }
  return aa > 0 && bb > 0 ? static_cast<float>(dot / std::sqrt(aa * bb)) : 0.0f;
}

}  // namespace hearth
