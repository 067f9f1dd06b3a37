// Twin of hearth/model.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(HEARTH_POOLING_RANK == static_cast<int>(hearth::Pooling::kRank));

namespace hearth::c {

HearthMemoryPlan to_c(const MemoryPlan& p) {
  return {sizeof(HearthMemoryPlan), p.weights_bytes, p.kv_cache_bytes, p.scratch_bytes,
          p.tables_bytes,           p.adapter_bytes, p.process_bytes,  p.total()};
}

namespace {

Result<ModelOptions> model_options(const HearthModelOptions* options) {
  const auto full = complete(options, hearth_model_options_init);
  if (!full) return full.error();
  return ModelOptions{.use_mmap = full->use_mmap,
                      .prefetch = full->prefetch,
                      .check_tensors = full->check_tensors,
                      .progress = progress_of<uint64_t, uint64_t>(full->progress, full->progress_user)};
}

Status hand_out_model(Result<Model> made, HearthModel** out) {
  if (!made) return made.error();
  *out = new HearthModel(std::move(*made));
  return {};
}

Status hand_out_plan(const Result<MemoryPlan>& made, HearthMemoryPlan* out) {
  if (!made) return made.error();
  fill(out, to_c(*made));
  return {};
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_model_options_init(HearthModelOptions* options) {
  const hearth::ModelOptions defaults;
  fill(options, {0, defaults.use_mmap, defaults.prefetch, defaults.check_tensors, nullptr, nullptr});
}

HearthCode hearth_model_open(const char* path, const HearthModelOptions* options, HearthModel** out,
                             HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    const auto how = model_options(options);
    if (!how) return how.error();
    return hand_out_model(hearth::Model::open(path, *how), out);
  });
}
HearthCode hearth_model_from_memory(const void* bytes, size_t n, const HearthModelOptions* options, HearthModel** out,
                                    HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{bytes, "bytes"}, {out, "out"}}); !s) return s;
    const auto how = model_options(options);
    if (!how) return how.error();
    return hand_out_model(hearth::Model::from_memory({static_cast<const std::byte*>(bytes), n}, *how), out);
  });
}
void hearth_model_free(HearthModel* model) {
  delete model;
}
void hearth_model_info(const HearthModel* model, HearthModelInfo* out) {
  if (model == nullptr) return;
  const hearth::ModelInfo& i = model->model.info();
  HearthModelInfo full{};
  full.architecture = i.architecture.c_str();
  full.name = i.name.c_str();
  full.quantization = i.quantization.c_str();
  full.n_parameters = i.n_parameters;
  full.n_layers = i.n_layers;
  full.d_model = i.d_model;
  full.d_ff = i.d_ff;
  full.n_heads = i.n_heads;
  full.n_kv_heads = i.n_kv_heads;
  full.head_dim = i.head_dim;
  full.n_vocab = i.n_vocab;
  full.n_ctx_train = i.n_ctx_train;
  full.n_experts = i.n_experts;
  full.n_experts_used = i.n_experts_used;
  full.causal = i.causal;
  full.has_logits = i.has_logits;
  full.pooling = static_cast<int32_t>(i.pooling);
  full.has_mtp = i.has_mtp;
  fill(out, full);
}
const HearthGgufFile* hearth_model_file(const HearthModel* model) {
  return model == nullptr ? nullptr : &model->file;
}
const HearthTokenizer* hearth_model_tokenizer(const HearthModel* model) {
  return model == nullptr ? nullptr : &model->tokenizer;
}
HearthCode hearth_model_plan(const HearthModel* model, const HearthSessionOptions* options, HearthMemoryPlan* out,
                             HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_plan(model->model.plan(*how), out);
  });
}
HearthCode hearth_model_plan_file(const char* path, const HearthSessionOptions* options, HearthMemoryPlan* out,
                                  HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{path, "path"}, {out, "out"}}); !s) return s;
    const auto how = to_cpp(options);
    if (!how) return how.error();
    return hand_out_plan(hearth::Model::plan(path, *how), out);
  });
}
HearthCode hearth_model_architectures(size_t i, char** out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    const auto all = hearth::Model::architectures();
    if (i >= all.size()) return hearth::Error{hearth::ErrorCode::kNotFound, "there are no more architectures"};
    return hand_out(all[i], out, nullptr);
  });
}

}  // extern "C"
