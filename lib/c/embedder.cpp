// Twin of hearth/embedder.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {

Result<EmbedderOptions> to_cpp(const HearthEmbedderOptions* options) {
  const auto full = complete(options, hearth_embedder_options_init);
  if (!full) return full.error();
  EmbedderOptions made;
  if (auto s = set_enum(made.pooling, full->pooling, Pooling::kRank, "pooling"); !s) return s.error();
  made.normalize = full->normalize;
  made.dimensions = full->dimensions;
  made.truncate = full->truncate;
  made.batch_tokens = full->batch_tokens;
  made.n_threads = full->n_threads;
  made.exact_products = full->exact_products;
  made.pool = pool_of(full->pool);
  auto adapters = to_cpp(full->adapters, full->n_adapters);
  if (!adapters) return adapters.error();
  made.adapters = std::move(*adapters);
  return made;
}

Status hand_out_vectors(const Result<std::vector<Embedding>>& made, float** values, size_t* dimensions,
                        int32_t** n_tokens) {
  if (!made) return made.error();
  if (auto s = needs({{values, "values"}}); !s) return s;
  std::vector<float> all;
  std::vector<int32_t> counts;
  const size_t width = made->empty() ? 0 : made->front().values.size();
  all.reserve(width * made->size());
  for (const Embedding& one : *made) {
    all.insert(all.end(), one.values.begin(), one.values.end());
    counts.push_back(one.n_tokens);
  }
  Owned<float> flat = copy_of(std::span<const float>(all));
  if (n_tokens != nullptr) *n_tokens = copy_of(std::span<const int32_t>(counts)).release();
  if (dimensions != nullptr) *dimensions = width;
  *values = flat.release();
  return {};
}

}  // namespace hearth::c

extern "C" {

void hearth_embedder_options_init(HearthEmbedderOptions* options) {
  const hearth::EmbedderOptions defaults;
  HearthEmbedderOptions full{};
  full.pooling = static_cast<int32_t>(defaults.pooling);
  full.normalize = defaults.normalize;
  full.dimensions = defaults.dimensions;
  full.truncate = defaults.truncate;
  full.batch_tokens = defaults.batch_tokens;
  full.n_threads = defaults.n_threads;
  full.exact_products = defaults.exact_products;
  fill(options, full);
}

HearthCode hearth_embedder_create(const HearthModel* model, const HearthEmbedderOptions* options, HearthEmbedder** out,
                                  HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_handle(hearth::Embedder::create(model->model, *how), out);
  });
}
void hearth_embedder_free(HearthEmbedder* embedder) {
  delete embedder;
}
HearthCode hearth_embedder_embed(HearthEmbedder* embedder, const HearthText* texts, size_t n, float** values,
                                 size_t* dimensions, int32_t** n_tokens, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{embedder, "embedder"}}); !s) return s;
    const auto all = texts_of(texts, n);
    if (!all) return all.error();
    return hand_out_vectors(embedder->embedder.embed(*all), values, dimensions, n_tokens);
  });
}
HearthCode hearth_embedder_embed_tokens(HearthEmbedder* embedder, const int32_t* ids, const size_t* lengths, size_t n,
                                        float** values, size_t* dimensions, int32_t** n_tokens, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{embedder, "embedder"}}); !s) return s;
    const auto all = lists_of(ids, lengths, n);
    if (!all) return all.error();
    return hand_out_vectors(embedder->embedder.embed_tokens(*all), values, dimensions, n_tokens);
  });
}
HearthCode hearth_embedder_set_adapters(HearthEmbedder* embedder, const HearthAdapterScale* adapters, size_t n,
                                        HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{embedder, "embedder"}}); !s) return s;
    const auto all = to_cpp(adapters, n);
    if (!all) return all.error();
    return embedder->embedder.set_adapters(std::span<const hearth::AdapterScale>(*all));
  });
}
HearthCode hearth_embedder_adapters(const HearthEmbedder* embedder, size_t i, HearthAdapter** adapter, float* scale,
                                    HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{embedder, "embedder"}, {adapter, "adapter"}}); !s) return s;
    return hand_out_adapter(embedder->embedder.adapters(), i, adapter, scale);
  });
}
int32_t hearth_embedder_dimensions(const HearthEmbedder* embedder) {
  return embedder == nullptr ? 0 : embedder->embedder.dimensions();
}
int32_t hearth_embedder_pooling(const HearthEmbedder* embedder) {
  return embedder == nullptr ? 0 : static_cast<int32_t>(embedder->embedder.pooling());
}
void hearth_embedder_plan(const HearthEmbedder* embedder, HearthMemoryPlan* out) {
  if (embedder != nullptr) fill(out, to_c(embedder->embedder.plan()));
}

float hearth_cosine_similarity(const float* a, const float* b, size_t n) {
  return a == nullptr || b == nullptr ? 0 : hearth::cosine_similarity({a, n}, {b, n});
}

}  // extern "C"
