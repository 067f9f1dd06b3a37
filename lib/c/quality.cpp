// Twin of hearth/quality.h.
#include "lib/c/options.h"

using namespace hearth::c;

namespace hearth::c {
namespace {

Result<MeasureOptions> measure_options(const HearthMeasureOptions* options) {
  const auto full = complete(options, hearth_measure_options_init);
  if (!full) return full.error();
  MeasureOptions made;
  if (auto s = set_enum(made.k_type, full->k_type, kLastKVType, "k_type"); !s) return s.error();
  if (auto s = set_enum(made.v_type, full->v_type, kLastKVType, "v_type"); !s) return s.error();
  made.chunk_size = full->chunk_size;
  made.max_chunks = full->max_chunks;
  made.parse_special = full->parse_special;
  made.n_threads = full->n_threads;
  made.exact_products = full->exact_products;
  made.pool = pool_of(full->pool);
  made.cancel = flag_of(full->cancel);
  return made;
}

HearthEstimate estimate_of(const Estimate& estimate) {
  return {estimate.value, estimate.error};
}

HearthPerplexityReport report_of(const PerplexityReport& r) {
  return {sizeof(HearthPerplexityReport),
          r.n_chunks,
          r.n_chunks_total,
          r.n_scored,
          estimate_of(r.nll),
          estimate_of(r.perplexity),
          r.divergence.has_value()};
}

Owned<HearthPercentile> percentiles_of(const std::vector<Percentile>& all) {
  std::vector<HearthPercentile> made;
  for (const Percentile& one : all) made.push_back({one.percent, one.value});
  return copy_of(std::span<const HearthPercentile>(made));
}

void fill_divergence(HearthDivergence* out, const Divergence& d) {
  if (out == nullptr || out->size < sizeof(HearthDivergence)) return;
  HearthDivergence full{};
  full.base_perplexity = estimate_of(d.base_perplexity);
  full.ln_ratio = estimate_of(d.ln_ratio);
  full.correlation = d.correlation;
  full.kld = estimate_of(d.kld);
  full.dp = estimate_of(d.dp);
  full.dp_rms = estimate_of(d.dp_rms);
  full.same_top = estimate_of(d.same_top);
  Owned<HearthPercentile> kld = percentiles_of(d.kld_percentiles);
  full.dp_percentiles = percentiles_of(d.dp_percentiles).release();
  full.kld_percentiles = kld.release();
  full.n_kld_percentiles = d.kld_percentiles.size();
  full.n_dp_percentiles = d.dp_percentiles.size();
  fill(out, full);
}

}  // namespace
}  // namespace hearth::c

extern "C" {

void hearth_measure_options_init(HearthMeasureOptions* options) {
  const hearth::MeasureOptions defaults;
  HearthMeasureOptions full{};
  full.chunk_size = defaults.chunk_size;
  full.max_chunks = defaults.max_chunks;
  full.parse_special = defaults.parse_special;
  full.k_type = static_cast<int32_t>(defaults.k_type);
  full.v_type = static_cast<int32_t>(defaults.v_type);
  full.n_threads = defaults.n_threads;
  full.exact_products = defaults.exact_products;
  fill(options, full);
}
void hearth_perplexity_options_init(HearthPerplexityOptions* options) {
  fill(options, HearthPerplexityOptions{});
}
void hearth_importance_options_init(HearthImportanceOptions* options) {
  fill(options, HearthImportanceOptions{});
}

HearthCode hearth_measure_perplexity(const HearthModel* model, const char* text, size_t text_size,
                                     const HearthPerplexityOptions* options, HearthPerplexityReport* out,
                                     HearthDivergence* divergence, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}}); !s) return s;
    const auto full = complete(options, hearth_perplexity_options_init);
    if (!full) return full.error();
    const auto run = measure_options(full->run);
    if (!run) return run.error();
    hearth::PerplexityOptions how;
    how.run = *run;
    if (full->base != nullptr) how.base = &full->base->model;
    how.base_logits = view(full->base_logits);
    how.save_logits = view(full->save_logits);
    if (full->on_progress != nullptr) {
      how.on_progress = [&](const hearth::PerplexityReport& so_far) {
        const HearthPerplexityReport seen = report_of(so_far);
        return full->on_progress(full->on_progress_user, &seen);
      };
    }
    const auto made = hearth::measure_perplexity(model->model, view(text, text_size), how);
    if (!made) return made.error();
    if (made->divergence) fill_divergence(divergence, *made->divergence);
    fill(out, report_of(*made));
    return {};
  });
}
HearthCode hearth_measure_importance(const HearthModel* model, const char* text, size_t text_size,
                                     const HearthImportanceOptions* options, HearthImportanceMatrix** out,
                                     HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{model, "model"}, {out, "out"}}); !s) return s;
    const auto full = complete(options, hearth_importance_options_init);
    if (!full) return full.error();
    const auto run = measure_options(full->run);
    if (!run) return run.error();
    hearth::ImportanceOptions how;
    how.run = *run;
    how.with_output = full->with_output;
    how.dataset = view(full->dataset);
    how.on_progress = progress_of<int64_t, int64_t>(full->on_progress, full->on_progress_user);
    return hand_out_handle(hearth::measure_importance(model->model, view(text, text_size), how), out);
  });
}

}  // extern "C"
