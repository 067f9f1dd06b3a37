// Keys and their pages.
#include "lib/cache/prefix_index.h"

#include <algorithm>

#include "lib/base/xxh64.h"

namespace hearth {

uint64_t PrefixIndex::key(uint64_t before, std::span<const Token> page) {
  Xxh64 hash;
  hash.update(std::as_bytes(std::span(&before, 1)));
  hash.update(std::as_bytes(page));
  return hash.digest() | 1u;
}

const PrefixPages* PrefixIndex::find(uint64_t key) const {
  const auto found = pages_.find(key);
  return found == pages_.end() ? nullptr : &found->second;
}

PrefixPages& PrefixIndex::add(uint64_t key, size_t n_pools) {
  PrefixPages& pages = pages_[key];
  pages.resize(n_pools, -1);
  return pages;
}

void PrefixIndex::forget(uint64_t key, size_t pool) {
  const auto found = pages_.find(key);
  if (found == pages_.end()) return;
  found->second[pool] = -1;
  tidy(key);
}

void PrefixIndex::tidy(uint64_t key) {
  const auto found = pages_.find(key);
  if (found == pages_.end()) return;
  if (std::all_of(found->second.begin(), found->second.end(), [](int32_t page) { return page < 0; })) {
    pages_.erase(found);
  }
}

}  // namespace hearth
