/* From logits to the next token and its text, until something says stop. Twin of hearth/generator.h. */
#ifndef HEARTH_C_GENERATOR_H
#define HEARTH_C_GENERATOR_H

#include "hearth/c/grammar.h"
#include "hearth/c/model.h"
#include "hearth/c/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* StopReason. */
enum {
  HEARTH_STOP_REASON_LENGTH = 0,
  HEARTH_STOP_REASON_END_TOKEN = 1,
  HEARTH_STOP_REASON_STOP_TEXT = 2,
  HEARTH_STOP_REASON_CALLBACK = 3,
  HEARTH_STOP_REASON_CONTEXT_FULL = 4,
  HEARTH_STOP_REASON_CANCELLED = 5
};
HEARTH_API const char* hearth_stop_reason_name(int32_t reason);

/* OnFull. */
enum { HEARTH_ON_FULL_STOP = 0, HEARTH_ON_FULL_SHIFT = 1, HEARTH_ON_FULL_WINDOW = 2 };
HEARTH_API const char* hearth_on_full_name(int32_t on_full);

typedef struct HearthGeneratedToken {
  size_t size;
  int32_t id;
  float probability;
  HearthText text; /* valid until the next call of the generator */
  bool finished;
  int32_t stop_reason;
} HearthGeneratedToken;
/* Return false to stop. */
typedef bool (*HearthOnToken)(void* user, const HearthGeneratedToken* token);

struct HearthSpeculator;

typedef struct HearthGenerateOptions {
  size_t size;
  int32_t max_tokens;
  const HearthSamplerOptions* sampler; /* NULL: the defaults */
  HearthSampler* own_sampler;
  const char* const* stop_texts;
  size_t n_stop_texts;
  const HearthGrammar* grammar;
  const char* grammar_after; /* NULL: none */
  bool ignore_end;
  bool skip_special;
  bool probabilities;
  int32_t on_full;
  int32_t keep;
  bool continue_cache;
  struct HearthSpeculator* speculator;
  bool add_special;
  bool parse_special;
  HearthProgress on_prompt;
  void* on_prompt_user;
  HearthOnToken on_token;
  void* on_token_user;
  const HearthCancel* cancel;
  int32_t reuse_stretches;
} HearthGenerateOptions;
HEARTH_API void hearth_generate_options_init(HearthGenerateOptions* options);

typedef struct HearthGenerator HearthGenerator;
HEARTH_API HearthCode hearth_generator_create(const HearthModel* model, const int32_t* prompt, size_t n_prompt,
                                              const HearthGenerateOptions* options, HearthGenerator** out,
                                              HearthError* error);
/* For logits that come from elsewhere. */
HEARTH_API HearthCode hearth_generator_create_for(const HearthTokenizer* tokenizer, int32_t n_logits,
                                                  const int32_t* prompt, size_t n_prompt,
                                                  const HearthGenerateOptions* options, HearthGenerator** out,
                                                  HearthError* error);
HEARTH_API void hearth_generator_free(HearthGenerator* generator);
HEARTH_API HearthCode hearth_generator_accept(HearthGenerator* generator, const float* logits, size_t n,
                                              HearthGeneratedToken* out, HearthError* error);
/* `taken` false: no token is forced, and `out` is as it was. */
HEARTH_API HearthCode hearth_generator_accept_forced(HearthGenerator* generator, bool* taken, HearthGeneratedToken* out,
                                                     HearthError* error);
HEARTH_API HearthCode hearth_generator_pending(const HearthGenerator* generator, int32_t seq, HearthBatchToken** out,
                                               size_t* n, HearthError* error);
HEARTH_API HearthBatchToken hearth_generator_next(const HearthGenerator* generator, int32_t seq);
HEARTH_API HearthCode hearth_generator_draft(HearthGenerator* generator, const float* logits, size_t n, int32_t* out,
                                             HearthError* error);
HEARTH_API HearthCode hearth_generator_draftable(HearthGenerator* generator, const int32_t* tokens, size_t n,
                                                 int32_t* out, HearthError* error);
HEARTH_API HearthText hearth_generator_finish(HearthGenerator* generator, int32_t reason);
HEARTH_API bool hearth_generator_finished(const HearthGenerator* generator);
HEARTH_API int32_t hearth_generator_stop_reason(const HearthGenerator* generator);
HEARTH_API const int32_t* hearth_generator_prompt(const HearthGenerator* generator, size_t* n);
HEARTH_API const int32_t* hearth_generator_ids(const HearthGenerator* generator, size_t* n);
HEARTH_API HearthText hearth_generator_text(const HearthGenerator* generator);

#ifdef __cplusplus
}
#endif
#endif
