// Twin of hearth/kv_cache.h.
#include "lib/c/options.h"

using namespace hearth::c;

static_assert(HEARTH_KV_CACHE_PAGE_TOKENS == hearth::KVCache::kPageTokens);
static_assert(HEARTH_KV_CACHE_ROLLBACK_TOKENS == hearth::KVCache::kRollbackTokens);
static_assert(HEARTH_KV_TYPE_IQ4_NL == static_cast<int>(kLastKVType));  // every type has its twin

namespace hearth::c {

HearthKVCacheStats to_c(const KVCacheStats& s) {
  return {sizeof(HearthKVCacheStats), s.pages_total, s.pages_used, s.pages_shared, s.pages_kept, s.bytes_total};
}

namespace {

template <typename Body>
HearthCode with_cache(HearthKVCache* cache, HearthError* error, const Body& body) {
  return call(error, [&]() -> Status {
    if (auto s = needs({{cache, "cache"}}); !s) return s;
    return body(*cache->cache);
  });
}
bool is_kv_type(int32_t type) {
  return type >= 0 && type <= static_cast<int32_t>(kLastKVType);
}

}  // namespace
}  // namespace hearth::c

extern "C" {

int32_t hearth_list_kv_types(size_t i) {
  return i <= static_cast<size_t>(kLastKVType) ? static_cast<int32_t>(i) : -1;
}
const char* hearth_kv_type_name(int32_t type) {
  return is_kv_type(type) ? hearth::kv_type_name(static_cast<hearth::KVType>(type)) : "unknown";
}
HearthCode hearth_parse_kv_type(const char* name, int32_t* out, HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{out, "out"}}); !s) return s;
    return hand_out_value(hearth::parse_kv_type(view(name)), out);
  });
}
uint64_t hearth_kv_position_bytes(int32_t type, int64_t dim) {
  return is_kv_type(type) ? hearth::kv_position_bytes(static_cast<hearth::KVType>(type), dim) : 0;
}

void hearth_kv_cache_clear(HearthKVCache* cache) {
  if (cache != nullptr) cache->cache->clear();
}
HearthCode hearth_kv_cache_remove(HearthKVCache* cache, int32_t seq, int32_t p0, int32_t p1, HearthError* error) {
  return with_cache(cache, error, [&](auto& c) { return c.remove(seq, p0, p1); });
}
HearthCode hearth_kv_cache_copy(HearthKVCache* cache, int32_t from, int32_t to, int32_t p0, int32_t p1,
                                HearthError* error) {
  return with_cache(cache, error, [&](auto& c) { return c.copy(from, to, p0, p1); });
}
HearthCode hearth_kv_cache_keep(HearthKVCache* cache, int32_t seq, HearthError* error) {
  return with_cache(cache, error, [&](auto& c) { return c.keep(seq); });
}
HearthCode hearth_kv_cache_trim(HearthKVCache* cache, int32_t seq, int32_t n, HearthError* error) {
  return with_cache(cache, error, [&](auto& c) { return c.trim(seq, n); });
}
HearthCode hearth_kv_cache_rollback(HearthKVCache* cache, int32_t seq, int32_t n, HearthError* error) {
  return with_cache(cache, error, [&](auto& c) { return c.rollback(seq, n); });
}
bool hearth_kv_cache_room(const HearthKVCache* cache, int32_t seq, int32_t n) {
  return cache != nullptr && cache->cache->room(seq, n);
}
int32_t hearth_kv_cache_length(const HearthKVCache* cache, int32_t seq) {
  return cache == nullptr ? 0 : cache->cache->length(seq);
}
bool hearth_kv_cache_contains(const HearthKVCache* cache, int32_t seq, int32_t pos) {
  return cache != nullptr && cache->cache->contains(seq, pos);
}
int32_t hearth_kv_cache_token(const HearthKVCache* cache, int32_t seq, int32_t pos) {
  return cache == nullptr ? -1 : cache->cache->token(seq, pos);
}
void hearth_kv_cache_stats(const HearthKVCache* cache, HearthKVCacheStats* out) {
  if (cache != nullptr) fill(out, to_c(cache->cache->stats()));
}

}  // extern "C"
