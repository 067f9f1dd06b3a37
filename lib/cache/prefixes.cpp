// Sequences that begin with pages computed before.
#include <algorithm>

#include "lib/cache/kv_cache.h"

namespace hearth {

/// Whether the first n pages of a chain are there as far as each group's window looks back from their end.
bool KVCache::Impl::reaches(const std::vector<const PrefixPages*>& chain, size_t n) const {
  for (size_t g = 0; g < groups.size(); ++g) {
    const int64_t first = groups[g].layout().first_kept(static_cast<int64_t>(n) * kPageTokens) / kPageTokens;
    for (auto i = static_cast<size_t>(first); i < n; ++i) {
      if ((*chain[i])[g] < 0) return false;
    }
  }
  return true;
}

int32_t KVCache::Impl::reuse(SeqId seq, std::span<const Token> tokens) {
  if (!check_sequence(seq) || length(seq) > 0 || states.floats() > 0) return 0;
  const auto whole = static_cast<int64_t>(tokens.empty() ? 0 : tokens.size() - 1) / kPageTokens;
  std::vector<const PrefixPages*> chain;
  uint64_t key = 0;
  for (int64_t i = 0; i < std::min(whole, options.n_ctx / kPageTokens); ++i) {
    const auto page = tokens.subspan(static_cast<size_t>(i) * kPageTokens, kPageTokens);
    key = PrefixIndex::key(key, page);
    const PrefixPages* found = prefixes.find(key);
    if (found == nullptr) break;
    // Equal keys of different tokens are unlikely, but their pages must not be mixed up.
    bool same = true;
    for (size_t g = 0; g < groups.size(); ++g) {
      const int32_t held = (*found)[g];
      same = same && (held < 0 || std::equal(page.begin(), page.end(), groups[g].pool().tokens(held)));
    }
    if (!same) break;
    chain.push_back(found);
  }
  size_t n = chain.size();
  while (n > 0 && !reaches(chain, n)) --n;
  for (size_t g = 0; g < groups.size(); ++g) {
    const int64_t first = groups[g].layout().first_kept(static_cast<int64_t>(n) * kPageTokens) / kPageTokens;
    for (auto i = static_cast<size_t>(first); i < n; ++i) {
      groups[g].hold_known(seq, static_cast<int64_t>(i), (*chain[i])[g]);
    }
    groups[g].set_dropped(seq, static_cast<int32_t>(first) * kPageTokens);
  }
  known_[seq] = static_cast<int32_t>(n);
  return static_cast<int32_t>(n) * kPageTokens;
}

void KVCache::Impl::remember(SeqId seq, int32_t p0, int32_t p1) {
  if (states.floats() > 0) return;
  uint64_t key = 0;
  const auto tokens_of = [&](int64_t index) -> std::span<const Token> {
    for (const Sequences& group : groups) {
      const PageRef& ref = group.table(seq)[static_cast<size_t>(index)];
      if (ref.page >= 0) return {group.pool().tokens(ref.page), kPageTokens};
    }
    return {};
  };
  for (int32_t i = 0; i < p1 / kPageTokens; ++i) {
    const std::span<const Token> tokens = tokens_of(i);
    if (tokens.empty()) return;  // every group slides, and has let go of it
    key = PrefixIndex::key(key, tokens);
    if (i < known_[seq]) continue;
    if (i > known_[seq] || p0 > i * kPageTokens) return;
    PrefixPages& pages = prefixes.add(key, groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
      const PageRef& ref = groups[g].table(seq)[static_cast<size_t>(i)];
      if (pages[g] >= 0 || ref.page < 0 || ref.mask != ~uint64_t{0} || groups[g].pool().known(ref.page)) continue;
      pages[g] = ref.page;
      groups[g].pool().know(ref.page, key);
    }
    known_[seq] = i + 1;
  }
}

}  // namespace hearth
