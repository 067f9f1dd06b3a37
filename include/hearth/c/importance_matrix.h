/* How much each column of a weight matrix matters. Twin of hearth/importance_matrix.h. */
#ifndef HEARTH_C_IMPORTANCE_MATRIX_H
#define HEARTH_C_IMPORTANCE_MATRIX_H

#include "hearth/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ImportanceMatrix::Entry. */
typedef struct HearthImportanceEntry {
  size_t size;
  const char* name;
  const float* sums;
  size_t n_sums;
  const float* counts;
  size_t n_counts;
} HearthImportanceEntry;

typedef struct HearthImportanceMatrix HearthImportanceMatrix;
/* An empty one. */
HEARTH_API HearthCode hearth_importance_matrix_create(HearthImportanceMatrix** out, HearthError* error);
HEARTH_API HearthCode hearth_importance_matrix_read(const char* path, HearthImportanceMatrix** out, HearthError* error);
HEARTH_API HearthCode hearth_importance_matrix_from_memory(const void* bytes, size_t n, HearthImportanceMatrix** out,
                                                           HearthError* error);
HEARTH_API void hearth_importance_matrix_free(HearthImportanceMatrix* matrix);
HEARTH_API HearthCode hearth_importance_matrix_write(const HearthImportanceMatrix* matrix, const char* path,
                                                     HearthError* error);
HEARTH_API HearthCode hearth_importance_matrix_add(HearthImportanceMatrix* matrix, const HearthImportanceEntry* entry,
                                                   HearthError* error);
HEARTH_API HearthCode hearth_importance_matrix_merge(HearthImportanceMatrix* matrix,
                                                     const HearthImportanceMatrix* other, HearthError* error);
/* Valid until add() or merge(), as are entries. NULL: there are none. */
HEARTH_API const float* hearth_importance_matrix_weights(const HearthImportanceMatrix* matrix, const char* tensor,
                                                         size_t index, size_t n_columns, size_t* n);
HEARTH_API bool hearth_importance_matrix_find(const HearthImportanceMatrix* matrix, const char* tensor,
                                              HearthImportanceEntry* out);
HEARTH_API bool hearth_importance_matrix_entries(const HearthImportanceMatrix* matrix, size_t i,
                                                 HearthImportanceEntry* out);
/* The lines, yours, each ended by a line feed. */
HEARTH_API HearthCode hearth_importance_matrix_warnings(const HearthImportanceMatrix* matrix, char** text,
                                                        size_t* text_size, HearthError* error);
/* The i-th name; NULL beyond the last. */
HEARTH_API const char* hearth_importance_matrix_datasets(const HearthImportanceMatrix* matrix, size_t i);
HEARTH_API HearthCode hearth_importance_matrix_add_dataset(HearthImportanceMatrix* matrix, const char* name,
                                                           HearthError* error);
HEARTH_API int64_t hearth_importance_matrix_n_chunks(const HearthImportanceMatrix* matrix);
HEARTH_API int64_t hearth_importance_matrix_chunk_size(const HearthImportanceMatrix* matrix);
HEARTH_API void hearth_importance_matrix_set_chunks(HearthImportanceMatrix* matrix, int64_t n_chunks,
                                                    int64_t chunk_size);

#ifdef __cplusplus
}
#endif
#endif
