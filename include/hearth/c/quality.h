/* How well a model predicts a text, and how far it departs from another. Twin of hearth/quality.h. */
#ifndef HEARTH_C_QUALITY_H
#define HEARTH_C_QUALITY_H

#include "hearth/c/importance_matrix.h"
#include "hearth/c/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthMeasureOptions {
  size_t size;
  int32_t chunk_size;
  int64_t max_chunks;
  bool parse_special;
  int32_t k_type;
  int32_t v_type;
  int32_t n_threads;
  bool exact_products;
  const HearthThreadPool* pool;
  const HearthCancel* cancel;
} HearthMeasureOptions;
HEARTH_API void hearth_measure_options_init(HearthMeasureOptions* options);

/* These two structs do not grow. */
typedef struct HearthEstimate {
  double value;
  double error;
} HearthEstimate;
typedef struct HearthPercentile {
  double percent;
  double value;
} HearthPercentile;

/* The percentiles are yours. */
typedef struct HearthDivergence {
  size_t size;
  HearthEstimate base_perplexity;
  HearthEstimate ln_ratio;
  double correlation;
  HearthEstimate kld;
  HearthEstimate dp;
  HearthEstimate dp_rms;
  HearthEstimate same_top;
  HearthPercentile* kld_percentiles;
  size_t n_kld_percentiles;
  HearthPercentile* dp_percentiles;
  size_t n_dp_percentiles;
} HearthDivergence;

typedef struct HearthPerplexityReport {
  size_t size;
  int64_t n_chunks;
  int64_t n_chunks_total;
  int64_t n_scored;
  HearthEstimate nll;
  HearthEstimate perplexity;
  bool has_divergence;
} HearthPerplexityReport;

typedef struct HearthPerplexityOptions {
  size_t size;
  const HearthMeasureOptions* run;
  const HearthModel* base;
  const char* base_logits;
  const char* save_logits;
  bool (*on_progress)(void* user, const HearthPerplexityReport* so_far);
  void* on_progress_user;
} HearthPerplexityOptions;
HEARTH_API void hearth_perplexity_options_init(HearthPerplexityOptions* options);
/* `divergence` may be NULL; it is filled where the report has one. */
HEARTH_API HearthCode hearth_measure_perplexity(const HearthModel* model, const char* text, size_t text_size,
                                                const HearthPerplexityOptions* options, HearthPerplexityReport* out,
                                                HearthDivergence* divergence, HearthError* error);

typedef struct HearthImportanceOptions {
  size_t size;
  const HearthMeasureOptions* run;
  bool with_output;
  const char* dataset;
  HearthProgress on_progress;
  void* on_progress_user;
} HearthImportanceOptions;
HEARTH_API void hearth_importance_options_init(HearthImportanceOptions* options);
HEARTH_API HearthCode hearth_measure_importance(const HearthModel* model, const char* text, size_t text_size,
                                                const HearthImportanceOptions* options, HearthImportanceMatrix** out,
                                                HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
