/* What the tensors of one file differ from those of another. Twin of hearth/compare.h. */
#ifndef HEARTH_C_COMPARE_H
#define HEARTH_C_COMPARE_H

#include "hearth/c/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthTensorDifference {
  size_t size;
  const char* name;
  int32_t type_a;
  int32_t type_b;
  int64_t n_elements;
  uint64_t bytes_a;
  uint64_t bytes_b;
  bool same_bytes;
  double squared_error;
  double squared_values;
  double largest_error;
  double rmse;
  double relative_error;
} HearthTensorDifference;

typedef struct HearthCompareOptions {
  size_t size;
  int32_t n_threads;
  HearthProgress on_progress;
  void* on_progress_user;
  const HearthCancel* cancel;
} HearthCompareOptions;
HEARTH_API void hearth_compare_options_init(HearthCompareOptions* options);

typedef struct HearthFileComparison HearthFileComparison;
HEARTH_API HearthCode hearth_compare_files(const HearthGgufFile* a, const HearthGgufFile* b,
                                           const HearthCompareOptions* options, HearthFileComparison** out,
                                           HearthError* error);
HEARTH_API void hearth_file_comparison_free(HearthFileComparison* comparison);
/* The i-th of each; false or NULL beyond the last. */
HEARTH_API bool hearth_file_comparison_tensors(const HearthFileComparison* comparison, size_t i,
                                               HearthTensorDifference* out);
HEARTH_API const char* hearth_file_comparison_only_a(const HearthFileComparison* comparison, size_t i);
HEARTH_API const char* hearth_file_comparison_only_b(const HearthFileComparison* comparison, size_t i);
HEARTH_API const char* hearth_file_comparison_other_shape(const HearthFileComparison* comparison, size_t i);
HEARTH_API const char* hearth_file_comparison_keys(const HearthFileComparison* comparison, size_t i);

#ifdef __cplusplus
}
#endif
#endif
