/* Makes a smaller file of a model. Twin of hearth/quantizer.h. */
#ifndef HEARTH_C_QUANTIZER_H
#define HEARTH_C_QUANTIZER_H

#include "hearth/c/gguf.h"
#include "hearth/c/importance_matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The text is valid during the call. Return false to cancel. */
typedef struct HearthQuantizeProgress {
  size_t size;
  HearthText tensor;
  size_t index;
  size_t n_tensors;
  uint64_t done_bytes;
  uint64_t total_bytes;
} HearthQuantizeProgress;

/* This struct does not grow. */
typedef struct HearthTypeOverride {
  const char* pattern;
  int32_t type;
} HearthTypeOverride;

typedef struct HearthQuantizeOptions {
  size_t size;
  const char* type;
  const HearthTypeOverride* overrides;
  size_t n_overrides;
  int32_t output_type;    /* < 0: not given */
  int32_t embedding_type; /* < 0: not given */
  bool keep_output;
  bool pure;
  bool requantize;
  const HearthImportanceMatrix* importance;
  const char* importance_file;
  uint64_t size_target;
  uint64_t split_bytes;
  int32_t n_threads;
  const HearthThreadPool* pool;
  bool (*progress)(void* user, const HearthQuantizeProgress* progress);
  void* progress_user;
} HearthQuantizeOptions;
HEARTH_API void hearth_quantize_options_init(HearthQuantizeOptions* options);

typedef struct HearthTensorPlan {
  size_t size;
  const char* name;
  int64_t dims[4];
  uint32_t n_dims;
  int32_t source;
  int32_t target;
  uint64_t source_bytes;
  uint64_t target_bytes;
  bool is_fallback;
} HearthTensorPlan;

/* What they point to is valid until the next measure() or run(). */
typedef struct HearthQuantizeError {
  size_t size;
  double mean_square;
  double largest_square;
  const char* largest_tensor;
} HearthQuantizeError;
typedef struct HearthQuantizeReport {
  size_t size;
  const char* const* paths;
  size_t n_paths;
  uint64_t file_bytes;
  double seconds;
} HearthQuantizeReport;

/* The i-th name, those of more bits first; NULL beyond the last. */
HEARTH_API const char* hearth_mix_names(size_t i);
HEARTH_API HearthCode hearth_parse_tensor_type(const char* name, int32_t* out, HearthError* error);

typedef struct HearthQuantizer HearthQuantizer;
HEARTH_API HearthCode hearth_quantizer_open(const char* path, const HearthQuantizeOptions* options,
                                            HearthQuantizer** out, HearthError* error);
HEARTH_API void hearth_quantizer_free(HearthQuantizer* quantizer);
/* The i-th tensor, false beyond the last. */
HEARTH_API bool hearth_quantizer_plan(const HearthQuantizer* quantizer, size_t i, HearthTensorPlan* out);
HEARTH_API uint64_t hearth_quantizer_target_bytes(const HearthQuantizer* quantizer);
/* The i-th warning; NULL beyond the last. */
HEARTH_API const char* hearth_quantizer_warnings(const HearthQuantizer* quantizer, size_t i);
HEARTH_API HearthCode hearth_quantizer_check(const HearthQuantizer* quantizer, HearthError* error);
HEARTH_API HearthCode hearth_quantizer_measure(HearthQuantizer* quantizer, HearthQuantizeError* out,
                                               HearthError* error);
HEARTH_API HearthCode hearth_quantizer_run(HearthQuantizer* quantizer, const char* path, HearthQuantizeReport* out,
                                           HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
