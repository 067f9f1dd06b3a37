/* The weights of a file, ready to be shared. Twin of hearth/model.h. */
#ifndef HEARTH_C_MODEL_H
#define HEARTH_C_MODEL_H

#include "hearth/c/gguf.h"
#include "hearth/c/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthModelOptions {
  size_t size;
  bool use_mmap;
  bool prefetch;
  bool check_tensors;
  HearthProgress progress;
  void* progress_user;
} HearthModelOptions;
HEARTH_API void hearth_model_options_init(HearthModelOptions* options);

/* Pooling. */
enum {
  HEARTH_POOLING_NONE = 0,
  HEARTH_POOLING_MEAN = 1,
  HEARTH_POOLING_CLS = 2,
  HEARTH_POOLING_LAST = 3,
  HEARTH_POOLING_RANK = 4
};

typedef struct HearthModelInfo {
  size_t size;
  const char* architecture;
  const char* name;
  const char* quantization;
  int64_t n_parameters;
  int32_t n_layers;
  int32_t d_model;
  int32_t d_ff;
  int32_t n_heads;
  int32_t n_kv_heads;
  int32_t head_dim;
  int32_t n_vocab;
  int32_t n_ctx_train;
  int32_t n_experts;
  int32_t n_experts_used;
  bool causal;
  bool has_logits;
  int32_t pooling;
  bool has_mtp;
} HearthModelInfo;

typedef struct HearthMemoryPlan {
  size_t size;
  uint64_t weights_bytes;
  uint64_t kv_cache_bytes;
  uint64_t scratch_bytes;
  uint64_t tables_bytes;
  uint64_t adapter_bytes;
  uint64_t process_bytes;
  uint64_t total;
} HearthMemoryPlan;

struct HearthSessionOptions;

typedef struct HearthModel HearthModel;
HEARTH_API HearthCode hearth_model_open(const char* path, const HearthModelOptions* options, HearthModel** out,
                                        HearthError* error);
/* The bytes must outlive the model and all that uses it; nothing of them is copied where they are aligned to 8. */
HEARTH_API HearthCode hearth_model_from_memory(const void* bytes, size_t n, const HearthModelOptions* options,
                                               HearthModel** out, HearthError* error);
HEARTH_API void hearth_model_free(HearthModel* model);
HEARTH_API void hearth_model_info(const HearthModel* model, HearthModelInfo* out);
HEARTH_API const HearthGgufFile* hearth_model_file(const HearthModel* model);
HEARTH_API const HearthTokenizer* hearth_model_tokenizer(const HearthModel* model);
HEARTH_API HearthCode hearth_model_plan(const HearthModel* model, const struct HearthSessionOptions* options,
                                        HearthMemoryPlan* out, HearthError* error);
HEARTH_API HearthCode hearth_model_plan_file(const char* path, const struct HearthSessionOptions* options,
                                             HearthMemoryPlan* out, HearthError* error);
/* The i-th architecture that open() accepts, yours; HEARTH_NOT_FOUND beyond the last. */
HEARTH_API HearthCode hearth_model_architectures(size_t i, char** out, HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
