/* What a token looks at. Twin of hearth/trace.h. */
#ifndef HEARTH_C_TRACE_H
#define HEARTH_C_TRACE_H

#include "hearth/c/session.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthAttentionWeights {
  size_t size;
  int32_t layer;
  int32_t n_heads;
  int32_t n_positions;
} HearthAttentionWeights;

typedef struct HearthTraceOptions {
  size_t size;
  int32_t seq;
  int32_t layer; /* < 0: the last one with attention */
  const HearthCancel* cancel;
} HearthTraceOptions;
HEARTH_API void hearth_trace_options_init(HearthTraceOptions* options);

/* `shape` may be NULL; the values [n_heads, n_positions] are yours. */
HEARTH_API HearthCode hearth_trace_attention(HearthSession* session, const int32_t* tokens, size_t n,
                                             const HearthTraceOptions* options, HearthAttentionWeights* shape,
                                             float** values, HearthError* error);

#ifdef __cplusplus
}
#endif
#endif
