// Which pages hold what is computed of which tokens: keys of prefixes in whole pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "hearth/batch.h"

namespace hearth {

/// The last page of a prefix in the pool of each group, then the place of its state; -1: not kept there.
using PrefixPages = std::vector<int32_t>;

class PrefixIndex {
 public:
  /// XXH64 of a page's tokens and of the key of all before; never 0. Before the first page stands what names adapters
  /// (0: none); what else decides a page's content (model, types, options) is the same for all pages of a session.
  static uint64_t key(uint64_t before, std::span<const Token> page);

  void clear() { pages_.clear(); }
  const PrefixPages* find(uint64_t key) const;
  PrefixPages& add(uint64_t key, size_t n_pools);
  /// The page of a group, or the state, is no longer there.
  void forget(uint64_t key, size_t pool);
  /// Lets go of a key without pages and state.
  void tidy(uint64_t key);

 private:
  std::unordered_map<uint64_t, PrefixPages> pages_;
};

}  // namespace hearth
