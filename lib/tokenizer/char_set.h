// CharSet: a set of code points as split rules write them: ranges, categories, negation, intersection.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lib/unicode/properties.h"

namespace hearth {

struct CharSet {
  std::vector<std::pair<uint32_t, uint32_t>> ranges;  ///< first and last, inclusive
  uint16_t categories = 0;                            ///< bit per unicode::CharCategory
  bool negated = false;
  std::vector<CharSet> also;  ///< the code point must lie in each of these too

  void add(uint32_t first, uint32_t last) { ranges.emplace_back(first, last); }
  void add(unicode::CharCategory category) {
    categories = static_cast<uint16_t>(categories | 1u << static_cast<unsigned>(category));
  }

  /// White space above U+007F lies in no range: rules know it only as \s.
  bool contains(uint32_t code_point, unicode::CharCategory category) const {
    bool inside = (categories >> static_cast<unsigned>(category) & 1) != 0;
    if (category == unicode::CharCategory::kSpace && code_point >= 0x80) code_point = 0x0B;
    for (const auto& [first, last] : ranges) inside = inside || (first <= code_point && code_point <= last);
    if (inside == negated) return false;
    for (const CharSet& set : also) {
      if (!set.contains(code_point, category)) return false;
    }
    return true;
  }
};

}  // namespace hearth
