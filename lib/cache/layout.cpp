// Groups by window, sizes of pools, places of layers.
#include "lib/cache/layout.h"

#include <algorithm>

namespace hearth {
namespace {

/// Pages of a group's pool. Without a window: those of the context, a partly filled one more per further sequence, and
/// one per pair of sequences that write to a shared page while decode() still keeps the original. A sliding window
/// keeps its positions twice during a decode(), as they were before it and as they are, plus the tokens of a batch and
/// the windows of prefixes.
int64_t pool_pages(int window, const CacheOptions& options) {
  const int64_t n_seqs = options.n_seqs;
  const int64_t all = pages_for(options.n_ctx) + n_seqs - 1 + n_seqs / 2;
  if (window == 0) return all;
  const int64_t kept = pages_for(int64_t{window} + KVCache::kRollbackTokens) + 1;
  return std::min(all, n_seqs * (2 * kept + 1) + options.n_kept_prefixes * kept + pages_for(options.n_batch));
}

size_t find_group(CacheLayout& layout, int window, const CacheOptions& options) {
  size_t g = 0;
  while (g < layout.groups.size() && layout.groups[g].window != window) ++g;
  if (g == layout.groups.size()) layout.groups.push_back({window, pool_pages(window, options), 0});
  return g;
}

}  // namespace

CacheLayout CacheLayout::make(std::span<const CacheLayer> layers, const CacheOptions& options) {
  CacheLayout layout;
  for (const CacheLayer& layer : layers) {
    LayerPlace place;
    if (layer.state_floats > 0) {
      place.state_offset = layout.state_floats;
      layout.state_floats += layer.state_floats;
    } else if (layer.same_as >= 0) {
      place = layout.layers[static_cast<size_t>(layer.same_as)];
    } else {
      const size_t g = find_group(layout, layer.window, options);
      GroupLayout& group = layout.groups[g];
      place.group = static_cast<int>(g);
      place.offset = group.page_bytes;
      place.head_bytes_k = KVCache::kPageTokens * kv_position_bytes(options.k_type, layer.k_dim);
      place.head_bytes_v = KVCache::kPageTokens * kv_position_bytes(options.v_type, layer.v_dim);
      place.n_kv_heads = layer.n_kv_heads;
      place.k_dim = layer.k_dim;
      place.v_dim = layer.v_dim;
      group.page_bytes += static_cast<uint64_t>(layer.n_kv_heads) * (place.head_bytes_k + place.head_bytes_v);
    }
    layout.layers.push_back(place);
  }
  // Recurrent layers alone have pages without bytes, which say the positions and their tokens.
  if (layout.groups.empty()) find_group(layout, 0, options);
  return layout;
}

}  // namespace hearth
