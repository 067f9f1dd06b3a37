// Looking up one code point in tables.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "lib/unicode/tables.h"

namespace hearth::unicode::tables {

constexpr uint32_t kCategoryBits = 0x1F;
constexpr uint32_t kWhiteControl = 30;  ///< the category of controls that are white space; they are in Cc
constexpr uint32_t kChangesInNfc = 0x20;
constexpr uint32_t kChangesInNfd = 0x40;
constexpr uint32_t kHasCaseMapping = 0x80;

/// Category and flags; 0 (unassigned) above U+10FFFF.
inline uint32_t properties(uint32_t c) {
  if (c > 0x10FFFF) return 0;
  const uint32_t block = c / kBlockSize;
  return kProperties[kBlockOf[kGroupOf[block / kGroupSize] * kGroupSize + block % kGroupSize] * kBlockSize +
                     c % kBlockSize];
}

/// The run of an ascending table that holds `c`, from its `first` to its `last`; nullptr when there is none.
template <typename Run, size_t n>
const Run* find_run(const Run (&runs)[n], uint32_t c) {
  const Run* after = std::upper_bound(std::begin(runs), std::end(runs), c,
                                      [](uint32_t code, const Run& run) { return code < run.first; });
  return after != std::begin(runs) && c <= after[-1].last ? after - 1 : nullptr;
}

}  // namespace hearth::unicode::tables
