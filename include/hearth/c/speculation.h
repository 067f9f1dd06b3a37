/* Drafts of the next tokens, checked in one batch. Twin of hearth/speculation.h. */
#ifndef HEARTH_C_SPECULATION_H
#define HEARTH_C_SPECULATION_H

#include "hearth/c/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthDraftRequest {
  size_t size;
  int32_t seq;
  const int32_t* text;
  size_t n_text;
  int32_t n;
  HearthGenerator* generator; /* may be NULL */
  const float* hidden;        /* NULL: not known */
  size_t n_hidden;
  int32_t* tokens;    /* out: room for n */
  size_t n_tokens;    /* out */
  int32_t confidence; /* out */
  int32_t n_pending;
} HearthDraftRequest;

/* A host's own source of drafts. propose() may return an error, which ends the decoding. */
typedef struct HearthDraftSource {
  size_t size;
  const char* name;
  bool is_free;
  HearthCode (*propose)(void* user, HearthDraftRequest* const* requests, size_t n);
  void (*destroy)(void* user); /* called once with `user` in the end; may be NULL */
  void* user;
} HearthDraftSource;

typedef struct HearthLookupOptions {
  size_t size;
  int32_t min_match;
  int32_t max_match;
} HearthLookupOptions;
HEARTH_API void hearth_lookup_options_init(HearthLookupOptions* options);

typedef struct HearthSpeculationOptions {
  size_t size;
  int32_t max_draft;
  bool adaptive;
} HearthSpeculationOptions;
HEARTH_API void hearth_speculation_options_init(HearthSpeculationOptions* options);

typedef struct HearthSpeculationStats {
  size_t size;
  int64_t drafted;
  int64_t accepted;
  int64_t steps;
  int64_t drafted_steps;
  int64_t tokens;
  double seconds;
  double draft_seconds;
  double speed_up;
  bool off;
  const char* note; /* valid until the next call with the speculator */
} HearthSpeculationStats;

typedef struct HearthSpeculativeText {
  size_t size; /* of each text of an array */
  int32_t seq;
  HearthGenerator* generator;
  int32_t forgotten;
  int32_t max_draft;
  int32_t first_row;
  int32_t drafted;
  int32_t accepted;
} HearthSpeculativeText;
HEARTH_API void hearth_speculative_text_init(HearthSpeculativeText* text);

typedef struct HearthSpeculator HearthSpeculator;
/* After an error destroy() has not been called. */
HEARTH_API HearthCode hearth_speculator_create(const HearthDraftSource* source, const HearthSpeculationOptions* options,
                                               HearthSpeculator** out, HearthError* error);
HEARTH_API HearthCode hearth_speculator_lookup(const HearthLookupOptions* lookup,
                                               const HearthSpeculationOptions* options, HearthSpeculator** out,
                                               HearthError* error);
HEARTH_API HearthCode hearth_speculator_draft_model(const HearthSession* target, const HearthModel* draft,
                                                    const HearthSpeculationOptions* options, HearthSpeculator** out,
                                                    HearthError* error);
/* The session must outlive the speculator. */
HEARTH_API HearthCode hearth_speculator_mtp(HearthSession* target, const HearthSpeculationOptions* options,
                                            HearthSpeculator** out, HearthError* error);
HEARTH_API void hearth_speculator_free(HearthSpeculator* speculator);
HEARTH_API HearthCode hearth_speculator_begin(HearthSpeculator* speculator, const HearthSpeculativeText* text,
                                              HearthError* error);
/* The batch is a new array, yours. */
HEARTH_API HearthCode hearth_speculator_plan(HearthSpeculator* speculator, const HearthSession* session,
                                             HearthSpeculativeText* texts, size_t n_texts, bool draft,
                                             HearthBatchToken** batch, size_t* n, HearthError* error);
HEARTH_API HearthCode hearth_speculator_accept(HearthSpeculator* speculator, HearthSession* session,
                                               HearthSpeculativeText* text, HearthOnToken on_token, void* user,
                                               HearthError* error);
HEARTH_API void hearth_speculator_options(const HearthSpeculator* speculator, HearthSpeculationOptions* out);
HEARTH_API const char* hearth_speculator_source_name(const HearthSpeculator* speculator);
HEARTH_API void hearth_speculator_stats(HearthSpeculator* speculator, HearthSpeculationStats* out);

#ifdef __cplusplus
}
#endif
#endif
