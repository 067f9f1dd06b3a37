// Sequences that begin with pages computed before.
#include <algorithm>

#include "lib/cache/kv_cache.h"

namespace hearth {

/// The pages known of these tokens, from the first on.
KVCache::Impl::Chain KVCache::Impl::find_chain(std::span<const Token> tokens, uint64_t root) const {
  const auto whole = static_cast<int64_t>(tokens.empty() ? 0 : tokens.size() - 1) / kPageTokens;
  Chain chain;
  uint64_t key = root;
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
  return chain;
}

/// Whether the first n pages of a chain are there as far as each group's window looks back from their end.
bool KVCache::Impl::reaches(const Chain& chain, size_t n) const {
  for (size_t g = 0; g < groups.size(); ++g) {
    const int64_t first = groups[g].layout().first_kept(static_cast<int64_t>(n) * kPageTokens) / kPageTokens;
    for (auto i = static_cast<size_t>(first); i < n; ++i) {
      if ((*chain[i])[g] < 0) return false;
    }
  }
  return true;
}

/// How many pages of a chain a sequence can begin with.
size_t KVCache::Impl::usable(const Chain& chain) const {
  const auto has_state = [&](size_t n) { return states.floats() == 0 || (*chain[n - 1])[groups.size()] >= 0; };
  size_t n = chain.size();
  while (n > 0 && !(has_state(n) && reaches(chain, n))) --n;
  return n;
}

int32_t KVCache::Impl::known(std::span<const Token> tokens, uint64_t root) const {
  return static_cast<int32_t>(usable(find_chain(tokens, root))) * kPageTokens;
}

int32_t KVCache::Impl::reuse(SeqId seq, std::span<const Token> tokens, uint64_t root) {
  if (!check_sequence(seq) || length(seq) > 0) return 0;
  const Chain chain = find_chain(tokens, root);
  const size_t n = usable(chain);
  for (size_t g = 0; g < groups.size(); ++g) {
    const int64_t first = groups[g].layout().first_kept(static_cast<int64_t>(n) * kPageTokens) / kPageTokens;
    for (auto i = static_cast<size_t>(first); i < n; ++i) {
      groups[g].hold_known(seq, static_cast<int64_t>(i), (*chain[i])[g]);
    }
    groups[g].set_dropped(seq, static_cast<int32_t>(first) * kPageTokens);
  }
  if (states.floats() > 0 && n > 0) states.begin_from(seq, (*chain[n - 1])[groups.size()]);
  known_[seq] = static_cast<int32_t>(n);
  branch_[seq] = states.floats() > 0 && chain.size() > n ? static_cast<int32_t>(chain.size()) * kPageTokens : 0;
  root_[seq] = root;
  return static_cast<int32_t>(n) * kPageTokens;
}

/// Makes the pages of an entry known; where others are known by that key, the sequence holds those from now on.
void KVCache::Impl::share_known(SeqId seq, int64_t index, uint64_t key) {
  PrefixPages& pages = prefixes.add(key, groups.size() + 1);
  for (size_t g = 0; g < groups.size(); ++g) {
    const PageRef& ref = groups[g].table(seq)[static_cast<size_t>(index)];
    PagePool& pool = groups[g].pool();
    if (ref.page < 0 || ref.mask != ~uint64_t{0} || pool.known(ref.page)) continue;
    if (pages[g] < 0) {
      pages[g] = ref.page;
      pool.know(ref.page, key);
    } else if (std::equal(pool.tokens(ref.page), pool.tokens(ref.page) + kPageTokens, pool.tokens(pages[g]))) {
      groups[g].hold_known(seq, index, pages[g]);
    }
  }
  prefixes.tidy(key);
}

void KVCache::Impl::remember(SeqId seq, int32_t p0, int32_t p1, uint64_t root, bool keep_state) {
  if (known_[seq] == 0) root_[seq] = root;
  if (root_[seq] != root) return;
  uint64_t key = root;
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
    share_known(seq, i, key);
    known_[seq] = i + 1;
  }
  if (states.floats() == 0 || p1 == 0 || p1 % kPageTokens != 0) return;
  PrefixPages& pages = prefixes.add(key, groups.size() + 1);
  int32_t& kept = pages[groups.size()];
  if (kept >= 0) {
    states.touch(kept);
  } else {
    kept = states.keep(seq, key, keep_state);
    prefixes.tidy(key);
  }
}

}  // namespace hearth
