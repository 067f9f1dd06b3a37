/* One stream of computation over a model. Twin of hearth/session.h. */
#ifndef HEARTH_C_SESSION_H
#define HEARTH_C_SESSION_H

#include "hearth/c/adapter.h"
#include "hearth/c/chat_template.h"
#include "hearth/c/generator.h"
#include "hearth/c/kv_cache.h"
#include "hearth/c/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* RopeScalingType. */
enum {
  HEARTH_ROPE_SCALING_TYPE_MODEL = 0,
  HEARTH_ROPE_SCALING_TYPE_NONE = 1,
  HEARTH_ROPE_SCALING_TYPE_LINEAR = 2,
  HEARTH_ROPE_SCALING_TYPE_YARN = 3
};

typedef struct HearthRopeOptions {
  size_t size;
  int32_t scaling;
  float freq_base;
  float freq_scale;
  int32_t yarn_orig_ctx;
  float yarn_ext_factor;
  float yarn_attn_factor;
  float yarn_beta_fast;
  float yarn_beta_slow;
} HearthRopeOptions;
HEARTH_API void hearth_rope_options_init(HearthRopeOptions* options);

typedef struct HearthSessionOptions {
  size_t size;
  int32_t n_ctx;
  int32_t n_seqs;
  int32_t n_batch;
  int32_t n_logits;
  int32_t k_type;
  int32_t v_type;
  int32_t n_threads;
  bool hidden_only;
  bool batch_invariant;
  bool exact_products;
  const HearthRopeOptions* rope; /* NULL: the model's */
  bool reuse_prefixes;
  const HearthThreadPool* pool;
  const HearthAdapterScale* adapters;
  size_t n_adapters;
  int32_t n_kept_prefixes;
  bool mtp;
} HearthSessionOptions;
HEARTH_API void hearth_session_options_init(HearthSessionOptions* options);

typedef struct HearthPrefillOptions {
  size_t size;
  int32_t seq;
  bool all_logits;
  HearthProgress on_progress;
  void* on_progress_user;
  const HearthCancel* cancel;
  bool skip_held;
} HearthPrefillOptions;
HEARTH_API void hearth_prefill_options_init(HearthPrefillOptions* options);

typedef struct HearthTimings {
  size_t size;
  int32_t prompt_tokens;
  int32_t reused_tokens;
  int32_t generated_tokens;
  double prompt_seconds;
  double first_token_seconds;
  double generate_seconds;
} HearthTimings;

/* What was written; yours. */
typedef struct HearthGeneration HearthGeneration;
HEARTH_API void hearth_generation_free(HearthGeneration* generation);
HEARTH_API const int32_t* hearth_generation_prompt_ids(const HearthGeneration* generation, size_t* n);
HEARTH_API const int32_t* hearth_generation_ids(const HearthGeneration* generation, size_t* n);
HEARTH_API HearthText hearth_generation_text(const HearthGeneration* generation);
HEARTH_API int32_t hearth_generation_stop_reason(const HearthGeneration* generation);
HEARTH_API void hearth_generation_timings(const HearthGeneration* generation, HearthTimings* out);

/* Text as it becomes complete; return false to stop. */
typedef bool (*HearthTextCallback)(void* user, const char* text, size_t text_size);

typedef struct HearthSession HearthSession;
HEARTH_API HearthCode hearth_session_create(const HearthModel* model, const HearthSessionOptions* options,
                                            HearthSession** out, HearthError* error);
HEARTH_API void hearth_session_free(HearthSession* session);
HEARTH_API HearthCode hearth_session_decode(HearthSession* session, const HearthBatchToken* batch, size_t n,
                                            const HearthCancel* cancel, HearthError* error);
HEARTH_API HearthCode hearth_session_prefill(HearthSession* session, const int32_t* tokens, size_t n,
                                             const HearthPrefillOptions* options, HearthError* error);
HEARTH_API HearthCode hearth_session_reuse(HearthSession* session, int32_t seq, const int32_t* tokens, size_t n,
                                           int32_t* n_reused, HearthError* error);
HEARTH_API HearthCode hearth_session_reuse_changed(HearthSession* session, int32_t seq, const int32_t* tokens, size_t n,
                                                   int32_t min_stretch, int32_t* n_held, HearthError* error);
/* Valid until the next decode(); NULL where there is no such row. */
HEARTH_API const float* hearth_session_logits(const HearthSession* session, size_t i, size_t* n);
HEARTH_API size_t hearth_session_n_logits(const HearthSession* session);
HEARTH_API const float* hearth_session_hidden(const HearthSession* session, size_t i, size_t* n);

/* on_text and out may be NULL. */
HEARTH_API HearthCode hearth_session_generate(HearthSession* session, const char* prompt, size_t prompt_size,
                                              const HearthGenerateOptions* options, HearthTextCallback on_text,
                                              void* user, HearthGeneration** out, HearthError* error);
HEARTH_API HearthCode hearth_session_generate_prompt(HearthSession* session, const HearthChatPrompt* prompt,
                                                     const HearthGenerateOptions* options, HearthTextCallback on_text,
                                                     void* user, HearthGeneration** out, HearthError* error);
HEARTH_API HearthCode hearth_session_generate_tokens(HearthSession* session, const int32_t* prompt, size_t n_prompt,
                                                     const HearthGenerateOptions* options, HearthTextCallback on_text,
                                                     void* user, HearthGeneration** out, HearthError* error);

HEARTH_API HearthCode hearth_session_set_adapters(HearthSession* session, int32_t seq,
                                                  const HearthAdapterScale* adapters, size_t n, HearthError* error);
/* For every sequence. */
HEARTH_API HearthCode hearth_session_set_adapters_of_all(HearthSession* session, const HearthAdapterScale* adapters,
                                                         size_t n, HearthError* error);
/* The i-th adapter of a sequence, a handle of your own; HEARTH_NOT_FOUND beyond the last. */
HEARTH_API HearthCode hearth_session_adapters(const HearthSession* session, int32_t seq, size_t i,
                                              HearthAdapter** adapter, float* scale, HearthError* error);
HEARTH_API uint64_t hearth_session_adapter_key(const HearthSession* session, int32_t seq, int32_t pos);

HEARTH_API HearthCode hearth_session_shift(HearthSession* session, int32_t seq, int32_t p0, int32_t p1, int32_t delta,
                                           HearthError* error);
HEARTH_API HearthCode hearth_session_make_room(HearthSession* session, int32_t seq, int32_t on_full, int32_t keep,
                                               int32_t* n_forgotten, HearthError* error);

/* The bytes are yours. */
HEARTH_API HearthCode hearth_session_save(const HearthSession* session, int32_t seq, void** bytes, size_t* n,
                                          HearthError* error);
HEARTH_API HearthCode hearth_session_save_file(const HearthSession* session, int32_t seq, const char* path,
                                               HearthError* error);
HEARTH_API HearthCode hearth_session_restore(HearthSession* session, int32_t seq, const void* bytes, size_t n,
                                             HearthError* error);
HEARTH_API HearthCode hearth_session_restore_file(HearthSession* session, int32_t seq, const char* path,
                                                  HearthError* error);

HEARTH_API HearthKVCache* hearth_session_cache(HearthSession* session);
HEARTH_API const HearthModel* hearth_session_model(const HearthSession* session);
/* What the options came to. Of rope, pool and adapters it tells nothing. */
HEARTH_API void hearth_session_options(const HearthSession* session, HearthSessionOptions* out);
HEARTH_API void hearth_session_plan(const HearthSession* session, HearthMemoryPlan* out);
HEARTH_API HearthText hearth_session_warning(const HearthSession* session);

#ifdef __cplusplus
}
#endif
#endif
