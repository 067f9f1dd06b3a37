// Which pages hold what is computed of which tokens: keys of prefixes in whole pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "hearth/batch.h"

namespace hearth {

/// The last page of a prefix in the pool of each group; -1: not kept there.
using PrefixPages = std::vector<int32_t>;

class PrefixIndex {
 public:
  /// XXH64 of a page's tokens and of the key of all before (0: none); never 0. What else decides a page's content
  /// (model, types, options) is the same for all pages of a session.
  static uint64_t key(uint64_t before, std::span<const Token> page);

  void clear() { pages_.clear(); }
  const PrefixPages* find(uint64_t key) const;
  PrefixPages& add(uint64_t key, size_t n_groups);
  /// The page of a group is no longer there.
  void forget(uint64_t key, size_t group);

 private:
  std::unordered_map<uint64_t, PrefixPages> pages_;
};

}  // namespace hearth
