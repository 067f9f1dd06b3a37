/* LoRA and control vectors. Twin of hearth/adapter.h. */
#ifndef HEARTH_C_ADAPTER_H
#define HEARTH_C_ADAPTER_H

#include "hearth/c/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AdapterKind. */
enum { HEARTH_ADAPTER_KIND_LORA = 0, HEARTH_ADAPTER_KIND_CONTROL_VECTOR = 1 };

typedef struct HearthAdapterInfo {
  size_t size;
  int32_t kind;
  const char* name;
  int32_t n_changed;
  int32_t max_rank;
  float alpha;
  bool rank_stabilized;
  const int32_t* invocation_tokens;
  size_t n_invocation_tokens;
  uint64_t file_bytes;
  const char* warning;
} HearthAdapterInfo;

typedef struct HearthAdapter HearthAdapter;
HEARTH_API HearthCode hearth_adapter_load(const char* path, const HearthModel* model, HearthAdapter** out,
                                          HearthError* error);
HEARTH_API HearthCode hearth_adapter_from_memory(const void* bytes, size_t n, const HearthModel* model,
                                                 HearthAdapter** out, HearthError* error);
HEARTH_API void hearth_adapter_free(HearthAdapter* adapter);
HEARTH_API void hearth_adapter_info(const HearthAdapter* adapter, HearthAdapterInfo* out);
HEARTH_API uint64_t hearth_adapter_content_hash(const HearthAdapter* adapter);

/* An adapter and how much of it. What takes it keeps the adapter alive. */
typedef struct HearthAdapterScale {
  const HearthAdapter* adapter;
  float scale;
} HearthAdapterScale;

#ifdef __cplusplus
}
#endif
#endif
