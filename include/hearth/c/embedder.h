/* Texts to vectors. Twin of hearth/embedder.h. */
#ifndef HEARTH_C_EMBEDDER_H
#define HEARTH_C_EMBEDDER_H

#include "hearth/c/adapter.h"
#include "hearth/c/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct HearthEmbedderOptions {
  size_t size;
  int32_t pooling;
  bool normalize;
  int32_t dimensions;
  bool truncate;
  int32_t batch_tokens;
  int32_t n_threads;
  bool exact_products;
  const HearthThreadPool* pool;
  const HearthAdapterScale* adapters;
  size_t n_adapters;
} HearthEmbedderOptions;
HEARTH_API void hearth_embedder_options_init(HearthEmbedderOptions* options);

/* Vectors come as one array, yours: [n, dimensions]. n_tokens[i], yours, too, is the length of a text; the pointer may
 * be NULL. */
typedef struct HearthEmbedder HearthEmbedder;
HEARTH_API HearthCode hearth_embedder_create(const HearthModel* model, const HearthEmbedderOptions* options,
                                             HearthEmbedder** out, HearthError* error);
HEARTH_API void hearth_embedder_free(HearthEmbedder* embedder);
HEARTH_API HearthCode hearth_embedder_embed(HearthEmbedder* embedder, const HearthText* texts, size_t n, float** values,
                                            size_t* dimensions, int32_t** n_tokens, HearthError* error);
/* Texts as ids, one after the other: the i-th has lengths[i]. */
HEARTH_API HearthCode hearth_embedder_embed_tokens(HearthEmbedder* embedder, const int32_t* ids, const size_t* lengths,
                                                   size_t n, float** values, size_t* dimensions, int32_t** n_tokens,
                                                   HearthError* error);
HEARTH_API HearthCode hearth_embedder_set_adapters(HearthEmbedder* embedder, const HearthAdapterScale* adapters,
                                                   size_t n, HearthError* error);
/* The i-th adapter, a handle of your own; HEARTH_NOT_FOUND beyond the last. */
HEARTH_API HearthCode hearth_embedder_adapters(const HearthEmbedder* embedder, size_t i, HearthAdapter** adapter,
                                               float* scale, HearthError* error);
HEARTH_API int32_t hearth_embedder_dimensions(const HearthEmbedder* embedder);
HEARTH_API int32_t hearth_embedder_pooling(const HearthEmbedder* embedder);
HEARTH_API void hearth_embedder_plan(const HearthEmbedder* embedder, HearthMemoryPlan* out);

HEARTH_API float hearth_cosine_similarity(const float* a, const float* b, size_t n);

#ifdef __cplusplus
}
#endif
#endif
