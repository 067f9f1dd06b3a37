/* A model with adapters added into its weights. Twin of hearth/merge.h. */
#ifndef HEARTH_C_MERGE_H
#define HEARTH_C_MERGE_H

#include "hearth/c/adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthMergeOptions {
  size_t size;
  int32_t type; /* < 0: tensors keep their own */
  int32_t n_threads;
  HearthProgress progress;
  void* progress_user;
} HearthMergeOptions;
HEARTH_API void hearth_merge_options_init(HearthMergeOptions* options);
HEARTH_API HearthCode hearth_merge_adapters(const HearthModel* model, const HearthAdapterScale* adapters, size_t n,
                                            const char* path, const HearthMergeOptions* options, HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
