/* From logits to the next token. Twin of hearth/sampler.h. */
#ifndef HEARTH_C_SAMPLER_H
#define HEARTH_C_SAMPLER_H

#include "hearth/c/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthCandidate {
  int32_t id;
  float logit;
  float p;
} HearthCandidate;

/* What stages work on, during their call. */
typedef struct HearthCandidates HearthCandidates;
HEARTH_API HearthCandidate* hearth_candidates_items(HearthCandidates* candidates, size_t* n);
/* Keeps the first n. */
HEARTH_API void hearth_candidates_truncate(HearthCandidates* candidates, size_t n);
HEARTH_API bool hearth_candidates_sorted(const HearthCandidates* candidates);
HEARTH_API void hearth_candidates_set_sorted(HearthCandidates* candidates, bool sorted);
HEARTH_API void hearth_candidates_sort(HearthCandidates* candidates);
HEARTH_API void hearth_candidates_softmax(HearthCandidates* candidates);

/* The random numbers of the library. */
typedef struct HearthRng {
  uint64_t state[4];
} HearthRng;
HEARTH_API void hearth_rng_init(HearthRng* rng, uint64_t seed);
HEARTH_API uint64_t hearth_rng_next(HearthRng* rng);
HEARTH_API double hearth_rng_uniform(HearthRng* rng);

typedef struct HearthLogitBias {
  int32_t id;
  float bias;
} HearthLogitBias;

typedef struct HearthSamplerOptions {
  size_t size;
  uint64_t seed;
  bool greedy;
  const HearthLogitBias* logit_bias;
  size_t n_logit_bias;
  int32_t penalty_last_n;
  float repeat_penalty;
  float frequency_penalty;
  float presence_penalty;
  float dry_multiplier;
  float dry_base;
  int32_t dry_allowed_length;
  int32_t dry_penalty_last_n;
  bool has_dry_breakers;
  const char* const* dry_breakers;
  size_t n_dry_breakers;
  float top_n_sigma;
  int32_t top_k;
  float typical_p;
  float top_p;
  float min_p;
  float xtc_probability;
  float xtc_threshold;
  float temperature;
  float dynatemp_range;
  float dynatemp_exponent;
  int32_t min_keep;
  int32_t mirostat;
  float mirostat_tau;
  float mirostat_eta;
} HearthSamplerOptions;
HEARTH_API void hearth_sampler_options_init(HearthSamplerOptions* options);
/* Changes what the file recommends, and leaves the rest. */
HEARTH_API void hearth_recommended_sampling(const HearthGgufFile* file, HearthSamplerOptions* options);

typedef void (*HearthSamplerStage)(void* user, HearthCandidates* candidates);
/* StagePosition. */
enum {
  HEARTH_STAGE_POSITION_BEFORE_TRUNCATION = 0,
  HEARTH_STAGE_POSITION_AFTER_TRUNCATION = 1,
  HEARTH_STAGE_POSITION_LAST = 2
};

typedef struct HearthSampler HearthSampler;
/* The tokenizer may be NULL. */
HEARTH_API HearthCode hearth_sampler_create(int32_t n_logits, const HearthSamplerOptions* options,
                                            const HearthTokenizer* tokenizer, HearthSampler** out, HearthError* error);
HEARTH_API void hearth_sampler_free(HearthSampler* sampler);
HEARTH_API HearthCode hearth_sampler_clone(const HearthSampler* sampler, HearthSampler** out, HearthError* error);
HEARTH_API void hearth_sampler_add_stage(HearthSampler* sampler, int32_t where, HearthSamplerStage stage, void* user);
HEARTH_API HearthCode hearth_sampler_sample(HearthSampler* sampler, const float* logits, size_t n, int32_t* out,
                                            HearthError* error);
/* Among tokens whose bit is set: bit id % 64 of word id / 64. */
HEARTH_API HearthCode hearth_sampler_sample_allowed(HearthSampler* sampler, const float* logits, size_t n,
                                                    const uint64_t* allowed, size_t n_words, int32_t* out,
                                                    HearthError* error);
HEARTH_API void hearth_sampler_accept(HearthSampler* sampler, int32_t id);
HEARTH_API void hearth_sampler_reset(HearthSampler* sampler);
HEARTH_API void hearth_sampler_reset_history(HearthSampler* sampler);
HEARTH_API const HearthCandidate* hearth_sampler_last_candidates(const HearthSampler* sampler, size_t* n);

#ifdef __cplusplus
}
#endif
#endif
