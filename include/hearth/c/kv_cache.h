/* The attention cache of a session. Twin of hearth/kv_cache.h. */
#ifndef HEARTH_C_KV_CACHE_H
#define HEARTH_C_KV_CACHE_H

#include "hearth/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* KVType. */
enum {
  HEARTH_KV_TYPE_F32 = 0,
  HEARTH_KV_TYPE_F16 = 1,
  HEARTH_KV_TYPE_BF16 = 2,
  HEARTH_KV_TYPE_Q8_0 = 3,
  HEARTH_KV_TYPE_Q5_1 = 4,
  HEARTH_KV_TYPE_Q5_0 = 5,
  HEARTH_KV_TYPE_Q4_1 = 6,
  HEARTH_KV_TYPE_Q4_0 = 7,
  HEARTH_KV_TYPE_IQ4_NL = 8
};
/* The i-th type; -1 beyond the last. */
HEARTH_API int32_t hearth_list_kv_types(size_t i);
HEARTH_API const char* hearth_kv_type_name(int32_t type);
HEARTH_API HearthCode hearth_parse_kv_type(const char* name, int32_t* out, HearthError* error);
HEARTH_API uint64_t hearth_kv_position_bytes(int32_t type, int64_t dim);

typedef struct HearthKVCacheStats {
  size_t size;
  int64_t pages_total;
  int64_t pages_used;
  int64_t pages_shared;
  int64_t pages_kept;
  uint64_t bytes_total;
} HearthKVCacheStats;

#define HEARTH_KV_CACHE_PAGE_TOKENS 64
#define HEARTH_KV_CACHE_ROLLBACK_TOKENS 64

/* Of a session (hearth_session_cache), and owned by it. */
typedef struct HearthKVCache HearthKVCache;
HEARTH_API void hearth_kv_cache_clear(HearthKVCache* cache);
HEARTH_API HearthCode hearth_kv_cache_remove(HearthKVCache* cache, int32_t seq, int32_t p0, int32_t p1,
                                             HearthError* error);
HEARTH_API HearthCode hearth_kv_cache_copy(HearthKVCache* cache, int32_t from, int32_t to, int32_t p0, int32_t p1,
                                           HearthError* error);
HEARTH_API HearthCode hearth_kv_cache_keep(HearthKVCache* cache, int32_t seq, HearthError* error);
HEARTH_API HearthCode hearth_kv_cache_trim(HearthKVCache* cache, int32_t seq, int32_t n, HearthError* error);
HEARTH_API HearthCode hearth_kv_cache_rollback(HearthKVCache* cache, int32_t seq, int32_t n, HearthError* error);
HEARTH_API bool hearth_kv_cache_room(const HearthKVCache* cache, int32_t seq, int32_t n);
HEARTH_API int32_t hearth_kv_cache_length(const HearthKVCache* cache, int32_t seq);
HEARTH_API bool hearth_kv_cache_contains(const HearthKVCache* cache, int32_t seq, int32_t pos);
HEARTH_API int32_t hearth_kv_cache_token(const HearthKVCache* cache, int32_t seq, int32_t pos);
HEARTH_API void hearth_kv_cache_stats(const HearthKVCache* cache, HearthKVCacheStats* out);

#ifdef __cplusplus
}
#endif
#endif
