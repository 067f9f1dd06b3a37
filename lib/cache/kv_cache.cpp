// Pages of the KV cache: reserve, share, copy on write, drop what left a window.
#include "lib/cache/kv_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace hearth {
namespace {

constexpr int kPage = KVCache::kPageTokens;
static_assert(kPage == kernels::kPageTokens && kPage == 64, "a mask of a page is one 64-bit word");

int64_t pages_for(int64_t positions) {
  return (positions + kPage - 1) / kPage;
}

/// Pages of a group's pool. A sliding window needs those that it overlaps plus those of a batch, for each sequence.
int64_t pool_pages(int window, const CacheOptions& options) {
  const int64_t all = pages_for(options.n_ctx) + options.n_seqs - 1;
  if (window == 0) return all;
  const int64_t visible = pages_for(int64_t{window} + options.n_batch) + 1;
  return std::min(all, visible * options.n_seqs);
}

/// Bits of positions [p0, p1) that fall into page `index`.
uint64_t range_mask(int64_t index, int64_t p0, int64_t p1) {
  const int64_t from = std::clamp<int64_t>(p0 - index * kPage, 0, kPage);
  const int64_t to = std::clamp<int64_t>(p1 - index * kPage, 0, kPage);
  if (from >= to) return 0;
  const uint64_t below_to = to == kPage ? ~uint64_t{0} : (uint64_t{1} << to) - 1;
  return below_to & ~((uint64_t{1} << from) - 1);
}

/// Groups by window and places of layers; the same for counting and for creating.
void lay_out(KVCache::Impl& impl, std::span<const CacheLayer> layers) {
  for (const CacheLayer& layer : layers) {
    KVCache::Impl::LayerPlace place;
    if (layer.state_floats > 0) {
      place.state_offset = impl.state_floats;
      impl.state_floats += layer.state_floats;
    } else if (layer.same_as >= 0) {
      place = impl.layers[static_cast<size_t>(layer.same_as)];
    } else {
      size_t g = 0;
      while (g < impl.groups.size() && impl.groups[g].window != layer.window) ++g;
      if (g == impl.groups.size()) {
        impl.groups.emplace_back();
        impl.groups[g].window = layer.window;
        impl.groups[g].n_pages = pool_pages(layer.window, impl.options);
      }
      place.group = static_cast<int>(g);
      place.offset = impl.groups[g].page_bytes;
      place.head_bytes_k = kPage * kv_position_bytes(impl.options.k_type, layer.k_dim);
      place.head_bytes_v = kPage * kv_position_bytes(impl.options.v_type, layer.v_dim);
      place.n_kv_heads = layer.n_kv_heads;
      impl.groups[g].page_bytes += static_cast<uint64_t>(layer.n_kv_heads) * (place.head_bytes_k + place.head_bytes_v);
    }
    impl.layers.push_back(place);
  }
}

}  // namespace

uint64_t KVCache::Impl::bytes_needed(std::span<const CacheLayer> layers, const CacheOptions& options) {
  Impl impl;
  impl.options = options;
  lay_out(impl, layers);
  uint64_t bytes = 0;
  for (const Group& group : impl.groups) bytes += static_cast<uint64_t>(group.n_pages) * group.page_bytes;
  bytes += static_cast<uint64_t>(impl.state_floats) * sizeof(float) * static_cast<uint64_t>(options.n_seqs);
  return bytes;
}

Result<std::unique_ptr<KVCache::Impl>> KVCache::Impl::create(std::span<const CacheLayer> layers,
                                                             const CacheOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  lay_out(*impl, layers);
  Result<AlignedBuffer> memory = AlignedBuffer::allocate(bytes_needed(layers, options), "the KV cache");
  if (!memory) return memory.error();
  impl->memory = std::move(*memory);
  std::byte* at = impl->memory.data();
  for (Group& group : impl->groups) {
    group.memory = at;
    at += static_cast<uint64_t>(group.n_pages) * group.page_bytes;
    group.refs.assign(static_cast<size_t>(group.n_pages), 0);
    group.tables.assign(static_cast<size_t>(options.n_seqs),
                        std::vector<PageRef>(static_cast<size_t>(pages_for(options.n_ctx))));
  }
  impl->states = reinterpret_cast<float*>(at);
  impl->clear();
  return impl;
}

void KVCache::Impl::clear() {
  for (Group& group : groups) {
    std::fill(group.refs.begin(), group.refs.end(), 0);
    group.free_pages.resize(group.refs.size());
    for (size_t i = 0; i < group.free_pages.size(); ++i) {
      group.free_pages[i] = static_cast<int32_t>(group.free_pages.size() - 1 - i);
    }
    for (auto& table : group.tables) std::fill(table.begin(), table.end(), PageRef{});
    group.dropped.assign(group.tables.size(), 0);
  }
}

const std::vector<PageRef>& KVCache::Impl::table(int layer, SeqId seq) const {
  const Group& group = groups[static_cast<size_t>(layers[static_cast<size_t>(layer)].group)];
  return group.tables[static_cast<size_t>(seq)];
}

kernels::KvPage KVCache::Impl::page(int layer, int32_t page, int kv_head) const {
  const LayerPlace& place = layers[static_cast<size_t>(layer)];
  const Group& group = groups[static_cast<size_t>(place.group)];
  std::byte* base = group.memory + static_cast<uint64_t>(page) * group.page_bytes + place.offset;
  std::byte* k = base + static_cast<uint64_t>(kv_head) * place.head_bytes_k;
  std::byte* v = base + static_cast<uint64_t>(place.n_kv_heads) * place.head_bytes_k +
                 static_cast<uint64_t>(kv_head) * place.head_bytes_v;
  return {k, v};
}

float* KVCache::Impl::state(int layer, SeqId seq) const {
  return states + int64_t{seq} * state_floats + layers[static_cast<size_t>(layer)].state_offset;
}

int32_t KVCache::Impl::take_page(Group& group) {
  const int32_t page = group.free_pages.back();
  group.free_pages.pop_back();
  group.refs[static_cast<size_t>(page)] = 1;
  return page;
}

void KVCache::Impl::release(Group& group, PageRef& ref) {
  if (ref.page >= 0 && --group.refs[static_cast<size_t>(ref.page)] == 0) group.free_pages.push_back(ref.page);
  ref = {};
}

void KVCache::Impl::make_writable(Group& group, PageRef& ref) {
  if (ref.page < 0) {
    ref.page = take_page(group);
  } else if (group.refs[static_cast<size_t>(ref.page)] > 1) {
    const int32_t copy = take_page(group);
    std::memcpy(group.memory + static_cast<uint64_t>(copy) * group.page_bytes,
                group.memory + static_cast<uint64_t>(ref.page) * group.page_bytes, group.page_bytes);
    --group.refs[static_cast<size_t>(ref.page)];
    ref.page = copy;
  }
}

Status KVCache::Impl::check(std::span<const BatchToken> batch) const {
  std::vector<int32_t> last_pos(static_cast<size_t>(options.n_seqs), -1);
  for (const BatchToken& token : batch) {
    if (token.seq < 0 || token.seq >= options.n_seqs) {
      return Error{ErrorCode::kInvalidArgument, "sequence " + std::to_string(token.seq) + " is not below n_seqs (" +
                                                    std::to_string(options.n_seqs) + ")"};
    }
    if (token.pos < 0)
      return Error{ErrorCode::kInvalidArgument, "position " + std::to_string(token.pos) + " is negative"};
    if (token.pos >= options.n_ctx) {
      return Error{ErrorCode::kContextFull, "position " + std::to_string(token.pos) + " does not fit a context of " +
                                                std::to_string(options.n_ctx)};
    }
    if (contains(token.seq, token.pos)) {
      return Error{ErrorCode::kInvalidArgument,
                   "position " + std::to_string(token.pos) + " of sequence " + std::to_string(token.seq) + " is taken"};
    }
    int32_t& last = last_pos[static_cast<size_t>(token.seq)];
    const int32_t next = state_floats > 0 && last < 0 ? length(token.seq) : last + 1;
    if (state_floats > 0 && token.pos != next) {
      return Error{ErrorCode::kInvalidArgument, "position " + std::to_string(token.pos) + " of sequence " +
                                                    std::to_string(token.seq) + " leaves a gap, but recurrent layers " +
                                                    "compute every position in turn (next: " + std::to_string(next) +
                                                    ")"};
    }
    if (token.pos <= last) {
      return Error{ErrorCode::kInvalidArgument, "position " + std::to_string(token.pos) + " of sequence " +
                                                    std::to_string(token.seq) + " does not follow " +
                                                    std::to_string(last) + " in the batch"};
    }
    last = token.pos;
  }
  return {};
}

int64_t KVCache::Impl::pages_wanted(const Group& group, std::span<const BatchToken> batch) const {
  std::vector<std::pair<SeqId, int32_t>> entries;  // of page tables, each once
  entries.reserve(batch.size());
  for (const BatchToken& token : batch) {
    const std::pair<SeqId, int32_t> entry{token.seq, token.pos / kPage};
    if (entries.empty() || entries.back() != entry) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  return std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
    const PageRef& ref = group.tables[static_cast<size_t>(entry.first)][static_cast<size_t>(entry.second)];
    return ref.page < 0 || group.refs[static_cast<size_t>(ref.page)] > 1;
  });
}

/// Calls visit(seq, first page that the sequence's window still touches) for each sequence of the batch.
template <typename Visit>
static void for_each_window_start(const KVCache::Impl::Group& group, std::span<const BatchToken> batch, Visit visit) {
  if (group.window == 0) return;
  std::vector<bool> seen(group.tables.size(), false);
  for (const BatchToken& token : batch) {  // positions of a sequence ascend, so its first token sees farthest back
    const auto seq = static_cast<size_t>(token.seq);
    if (seen[seq]) continue;
    seen[seq] = true;
    visit(seq, std::max<int64_t>(0, int64_t{token.pos} - group.window + 1) / kPage);
  }
}

int64_t KVCache::Impl::pages_leaving(const Group& group, std::span<const BatchToken> batch) const {
  int64_t leaving = 0;
  for_each_window_start(group, batch, [&](size_t seq, int64_t keep_from) {
    for (int64_t index = group.dropped[seq] / kPage; index < keep_from; ++index) {
      const PageRef& ref = group.tables[seq][static_cast<size_t>(index)];
      leaving += ref.page >= 0 && group.refs[static_cast<size_t>(ref.page)] == 1;
    }
  });
  return leaving;
}

void KVCache::Impl::drop_outside_window(Group& group, std::span<const BatchToken> batch) {
  for_each_window_start(group, batch, [&](size_t seq, int64_t keep_from) {
    for (int64_t index = group.dropped[seq] / kPage; index < keep_from; ++index) {
      release(group, group.tables[seq][static_cast<size_t>(index)]);
    }
    group.dropped[seq] = std::max(group.dropped[seq], static_cast<int32_t>(keep_from * kPage));
  });
}

Status KVCache::Impl::check_room(std::span<const BatchToken> batch) const {
  if (Status status = check(batch); !status) return status;
  for (const Group& group : groups) {
    if (group.window == 0 && pages_wanted(group, batch) > static_cast<int64_t>(group.free_pages.size())) {
      return Error{ErrorCode::kContextFull, "the KV cache has no room for " + std::to_string(batch.size()) +
                                                " more tokens (context " + std::to_string(options.n_ctx) + ")"};
    }
  }
  return {};
}

Status KVCache::Impl::reserve(std::span<const BatchToken> batch) {
  if (Status status = check(batch); !status) return status;
  for (const Group& group : groups) {
    if (pages_wanted(group, batch) > static_cast<int64_t>(group.free_pages.size()) + pages_leaving(group, batch)) {
      return Error{ErrorCode::kContextFull, "the KV cache has no room for " + std::to_string(batch.size()) +
                                                " more tokens (context " + std::to_string(options.n_ctx) + ")"};
    }
  }
  for (Group& group : groups) {
    drop_outside_window(group, batch);
    for (const BatchToken& token : batch) {
      PageRef& ref = group.tables[static_cast<size_t>(token.seq)][static_cast<size_t>(token.pos / kPage)];
      make_writable(group, ref);
      ref.mask |= uint64_t{1} << (token.pos % kPage);
    }
  }
  return {};
}

void KVCache::Impl::unreserve(std::span<const BatchToken> batch) {
  for (Group& group : groups) {
    for (const BatchToken& token : batch) {
      PageRef& ref = group.tables[static_cast<size_t>(token.seq)][static_cast<size_t>(token.pos / kPage)];
      ref.mask &= ~(uint64_t{1} << (token.pos % kPage));
      if (ref.mask == 0) release(group, ref);
    }
  }
}

Status KVCache::Impl::check_range(SeqId seq, int32_t& p0, int32_t& p1) const {
  if (seq < 0 || seq >= options.n_seqs) {
    return Error{ErrorCode::kInvalidArgument,
                 "sequence " + std::to_string(seq) + " is not below n_seqs (" + std::to_string(options.n_seqs) + ")"};
  }
  if (p0 < 0) return Error{ErrorCode::kInvalidArgument, "position " + std::to_string(p0) + " is negative"};
  const auto end = static_cast<int32_t>(options.n_ctx);
  if (p1 < 0 || p1 > end) p1 = end;
  p0 = std::min(p0, p1);
  return {};
}

Status KVCache::Impl::remove(SeqId seq, int32_t p0, int32_t p1) {
  if (Status status = check_range(seq, p0, p1); !status) return status;
  const auto at = static_cast<size_t>(seq);
  const bool everything = p0 == 0 && p1 >= length(seq);
  if (state_floats > 0 && !everything && p0 < length(seq)) {
    return Error{ErrorCode::kUnsupported, "recurrent layers cannot forget a part of a sequence, only all of it"};
  }
  for (const Group& group : groups) {
    // What comes next at p0 must still see its whole window.
    if (!everything && group.dropped[at] > std::max(0, p0 - group.window + 1) && p1 >= length(seq)) {
      return Error{ErrorCode::kUnsupported, "positions before " + std::to_string(group.dropped[at]) +
                                                " have left the sliding window, so the sequence cannot go back to " +
                                                std::to_string(p0)};
    }
  }
  for (Group& group : groups) {
    auto& table = group.tables[at];
    for (int64_t index = p0 / kPage; index < pages_for(p1); ++index) {
      PageRef& ref = table[static_cast<size_t>(index)];
      ref.mask &= ~range_mask(index, p0, p1);
      if (ref.mask == 0) release(group, ref);
    }
    if (everything) group.dropped[at] = 0;
  }
  return {};
}

Status KVCache::Impl::copy(SeqId from, SeqId to, int32_t p0, int32_t p1) {
  int32_t q0 = p0, q1 = p1;
  if (Status status = check_range(from, p0, p1); !status) return status;
  if (Status status = check_range(to, q0, q1); !status) return status;
  if (state_floats > 0 && (p0 > 0 || p1 < length(from))) {
    return Error{ErrorCode::kUnsupported, "recurrent layers cannot copy a part of a sequence, only all of it"};
  }
  if (from == to) return remove(to, p1, -1).ok() && p0 > 0 ? remove(to, 0, p0) : Status{};
  for (const Group& group : groups) {
    if (p1 < length(from) && group.dropped[static_cast<size_t>(from)] > std::max(0, p1 - group.window + 1)) {
      return Error{ErrorCode::kUnsupported,
                   "positions before " + std::to_string(group.dropped[static_cast<size_t>(from)]) +
                       " have left the sliding window, so no copy can end at " + std::to_string(p1)};
    }
  }
  for (Group& group : groups) {
    const auto& source = group.tables[static_cast<size_t>(from)];
    auto& target = group.tables[static_cast<size_t>(to)];
    for (size_t index = 0; index < target.size(); ++index) {
      release(group, target[index]);
      const uint64_t mask = source[index].mask & range_mask(static_cast<int64_t>(index), p0, p1);
      if (mask == 0) continue;
      target[index] = {source[index].page, mask};
      ++group.refs[static_cast<size_t>(source[index].page)];
    }
    group.dropped[static_cast<size_t>(to)] = group.dropped[static_cast<size_t>(from)];
  }
  std::copy_n(states + int64_t{from} * state_floats, state_floats, states + int64_t{to} * state_floats);
  return {};
}

int32_t KVCache::Impl::length(SeqId seq) const {
  if (seq < 0 || seq >= options.n_seqs) return 0;
  int32_t longest = 0;
  for (const Group& group : groups) {
    const auto& table = group.tables[static_cast<size_t>(seq)];
    for (size_t index = table.size(); index-- > 0;) {
      if (table[index].mask == 0) continue;
      longest = std::max(longest, static_cast<int32_t>(index) * kPage + kPage - std::countl_zero(table[index].mask));
      break;
    }
  }
  return longest;
}

bool KVCache::Impl::contains(SeqId seq, int32_t pos) const {
  if (seq < 0 || seq >= options.n_seqs || pos < 0 || pos >= options.n_ctx) return false;
  for (const Group& group : groups) {
    const PageRef& ref = group.tables[static_cast<size_t>(seq)][static_cast<size_t>(pos / kPage)];
    if (ref.mask >> (pos % kPage) & 1) return true;
  }
  return false;
}

KVCacheStats KVCache::Impl::stats() const {
  KVCacheStats stats;
  stats.bytes_total = memory.size();
  for (const Group& group : groups) {
    stats.pages_total += group.n_pages;
    for (const int32_t refs : group.refs) {
      stats.pages_used += refs > 0;
      stats.pages_shared += refs > 1;
    }
  }
  return stats;
}

// --- the public face ---------------------------------------------------------------------------------------------

KVCache::KVCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KVCache::KVCache(KVCache&&) noexcept = default;
KVCache& KVCache::operator=(KVCache&&) noexcept = default;
KVCache::~KVCache() = default;

void KVCache::clear() {
  impl_->clear();
}
Status KVCache::remove(SeqId seq, int32_t p0, int32_t p1) {
  return impl_->remove(seq, p0, p1);
}
Status KVCache::copy(SeqId from, SeqId to, int32_t p0, int32_t p1) {
  return impl_->copy(from, to, p0, p1);
}
Status KVCache::trim(SeqId seq, int32_t n) {
  return impl_->remove(seq, n, -1);
}
int32_t KVCache::length(SeqId seq) const {
  return impl_->length(seq);
}
bool KVCache::contains(SeqId seq, int32_t pos) const {
  return impl_->contains(seq, pos);
}
KVCacheStats KVCache::stats() const {
  return impl_->stats();
}

}  // namespace hearth
