// Split rules in regular-expression notation, parsed to a syntax tree.
//
// The subset: literals, \r \n \t, \s \S \d, \p{L} \p{N} \p{P} \p{S} \p{M} \p{Han} (two-letter letter classes such
// as \p{Lu} mean \p{L}), [...] with ranges, negation and && intersection, (...) and (?:...), | alternation,
// ? * + {n} {n,m} (greedy), and (?!\S) at the end of an alternative.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "hearth/result.h"
#include "lib/tokenizer/char_set.h"

namespace hearth {

struct RuleNode {
  enum class Kind : uint8_t { kSet, kSequence, kChoice, kRepeat, kNoTextAhead };
  static constexpr uint32_t kUnbounded = 0xFFFFFFFF;

  Kind kind = Kind::kSequence;
  uint32_t set = 0;               ///< kSet: index into RuleTree::sets
  std::vector<uint32_t> parts{};  ///< kSequence, kChoice (first choice wins), kRepeat: indices of nodes
  uint32_t min = 1, max = 1;      ///< kRepeat
};

struct RuleTree {
  std::vector<RuleNode> nodes;
  std::vector<CharSet> sets;
  uint32_t root = 0;
};

/// Rules are constants of the library; an error means that a table row is wrong.
Result<RuleTree> parse_rule(std::string_view pattern);

}  // namespace hearth
