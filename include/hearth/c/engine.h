/* Many requests over one model at once. Twin of hearth/engine.h. */
#ifndef HEARTH_C_ENGINE_H
#define HEARTH_C_ENGINE_H

#include "hearth/c/embedder.h"
#include "hearth/c/session.h"
#include "hearth/c/speculation.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthEngineDrafts {
  size_t size;
  const HearthModel* model;          /* NULL: what stands in the text itself */
  const HearthLookupOptions* lookup; /* NULL: the defaults */
  const HearthSpeculationOptions* options;
  bool mtp;
} HearthEngineDrafts;

typedef struct HearthEngineOptions {
  size_t size;
  const HearthSessionOptions* session; /* NULL: the defaults, with four sequences */
  int32_t max_queue;
  double prompt_share;
  const HearthEmbedderOptions* embedder; /* NULL: off */
  const HearthEngineDrafts* drafts;      /* NULL: off */
} HearthEngineOptions;
HEARTH_API void hearth_engine_options_init(HearthEngineOptions* options);

typedef struct HearthEngineRequest {
  size_t size;
  const int32_t* prompt;
  size_t n_prompt;
  const HearthGenerateOptions* generate;
  int32_t n;
  int32_t priority;
  bool reuse_prefix;
  bool report_prompt;
  int32_t n_alternatives;
  bool has_adapters;
  const HearthAdapterScale* adapters;
  size_t n_adapters;
  bool drafts;
  int32_t seq;
} HearthEngineRequest;
HEARTH_API void hearth_engine_request_init(HearthEngineRequest* request);

/* This struct does not grow. */
typedef struct HearthTokenAlternative {
  int32_t id;
  float logprob;
} HearthTokenAlternative;

/* EngineEvent::Kind. */
enum { HEARTH_ENGINE_EVENT_PROMPT = 0, HEARTH_ENGINE_EVENT_TOKEN = 1, HEARTH_ENGINE_EVENT_DONE = 2 };

/* What it points to is valid until the next call with the ticket. */
typedef struct HearthEngineEvent {
  size_t size;
  int32_t kind;
  int32_t choice;
  int32_t id;
  float probability;
  const HearthTokenAlternative* alternatives;
  size_t n_alternatives;
  HearthText text;
  int32_t prompt_done;
  int32_t prompt_total;
  HearthCode status;
  const char* message; /* of the status */
  int32_t stop_reason;
  int32_t cached_tokens;
  double queued_seconds;
  const HearthTimings* timings;
  int32_t drafted_tokens;
  int32_t accepted_tokens;
  int32_t seq;
} HearthEngineEvent;

/* The reader's end of a request; freeing it cancels what has not ended. */
typedef struct HearthTicket HearthTicket;
HEARTH_API void hearth_ticket_free(HearthTicket* ticket);
/* False: nothing comes any more. */
HEARTH_API bool hearth_ticket_next(HearthTicket* ticket, HearthEngineEvent* out);
HEARTH_API bool hearth_ticket_next_within(HearthTicket* ticket, double seconds, HearthEngineEvent* out, bool* waiting);
/* An array, yours, of n generations, each yours. */
HEARTH_API HearthCode hearth_ticket_wait(HearthTicket* ticket, HearthGeneration*** out, size_t* n, HearthError* error);
HEARTH_API void hearth_ticket_cancel(HearthTicket* ticket);
HEARTH_API uint64_t hearth_ticket_id(const HearthTicket* ticket);

typedef struct HearthEngineStats {
  size_t size;
  int32_t active;
  int32_t waiting;
  uint64_t finished;
  uint64_t failed;
  uint64_t cancelled;
  uint64_t steps;
  uint64_t prompt_tokens;
  uint64_t cached_tokens;
  uint64_t generated_tokens;
  double busy_seconds;
  HearthKVCacheStats* cache;      /* filled when not NULL (and its size is set) */
  HearthSpeculationStats* drafts; /* likewise; its note stays empty */
} HearthEngineStats;

typedef struct HearthEngine HearthEngine;
HEARTH_API HearthCode hearth_engine_create(const HearthModel* model, const HearthEngineOptions* options,
                                           HearthEngine** out, HearthError* error);
HEARTH_API void hearth_engine_free(HearthEngine* engine);
HEARTH_API HearthCode hearth_engine_submit(HearthEngine* engine, const HearthEngineRequest* request, HearthTicket** out,
                                           HearthError* error);
/* As hearth_embedder_embed and hearth_embedder_embed_tokens. */
HEARTH_API HearthCode hearth_engine_embed(HearthEngine* engine, const HearthText* texts, size_t n, float** values,
                                          size_t* dimensions, int32_t** n_tokens, HearthError* error);
HEARTH_API HearthCode hearth_engine_embed_tokens(HearthEngine* engine, const int32_t* ids, const size_t* lengths,
                                                 size_t n, float** values, size_t* dimensions, int32_t** n_tokens,
                                                 HearthError* error);
HEARTH_API HearthCode hearth_engine_set_embedding_adapters(HearthEngine* engine, const HearthAdapterScale* adapters,
                                                           size_t n, HearthError* error);
typedef struct HearthHeldSequence {
  size_t size;
  int32_t n_tokens;
  uint64_t bytes;
} HearthHeldSequence;
/* `out` may be NULL. */
HEARTH_API HearthCode hearth_engine_save(HearthEngine* engine, int32_t seq, const char* path, HearthHeldSequence* out,
                                         HearthError* error);
/* has_adapters as in HearthEngineRequest. */
HEARTH_API HearthCode hearth_engine_restore(HearthEngine* engine, int32_t seq, const char* path, bool has_adapters,
                                            const HearthAdapterScale* adapters, size_t n_adapters,
                                            HearthHeldSequence* out, HearthError* error);
/* n_tokens, which may be NULL: how many there were. */
HEARTH_API HearthCode hearth_engine_erase(HearthEngine* engine, int32_t seq, int32_t* n_tokens, HearthError* error);
HEARTH_API void hearth_engine_stats(const HearthEngine* engine, HearthEngineStats* out);
HEARTH_API bool hearth_engine_is_busy(const HearthEngine* engine, int32_t seq);
HEARTH_API const HearthModel* hearth_engine_model(const HearthEngine* engine);
/* What the options came to; `session`, when not NULL, is filled as by hearth_session_options. */
HEARTH_API void hearth_engine_options(const HearthEngine* engine, HearthEngineOptions* out,
                                      HearthSessionOptions* session);

#ifdef __cplusplus
}
#endif
#endif
