// Regular expressions of ECMAScript (flag u) as far as they are regular: read into a tree, then into an automaton or
// expressions. Looking around, references back and word boundaries are refused by name.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "hearth/result.h"
#include "lib/grammar/dfa.h"
#include "lib/grammar/expr.h"

namespace hearth::grammar {

struct Regex {
  enum class Kind : uint8_t { kSet, kSeq, kAlt, kRepeat, kBegin, kEnd };
  struct Node {
    Kind kind;
    CodeSet set{};
    std::vector<uint32_t> kids{};
    int32_t min = 0, max = 0;
  };
  std::vector<Node> nodes;  ///< children before their parents
  uint32_t root = 0;
};

/// kFormat or kUnsupported with the offset in the pattern.
Result<Regex> parse_regex(std::string_view pattern);

/// The texts in which the expression is found somewhere, or with `whole` that it matches from end to end. nullopt when
/// it takes too many states.
std::optional<Dfa> automaton_of(const Regex& regex, bool whole);

/// The same as an expression, which counts repetitions instead of writing them out. nullopt where ^ or $ stands
/// anywhere but at the ends.
std::optional<ExprId> expression_of(const Regex& regex, bool whole, Encoding encoding, ExprPool& pool);

/// Whichever of both fits: texts that match as a whole.
Result<ExprId> read_regex(std::string_view pattern, ExprPool& pool);

/// Repetitions that would be written out one by one in an automaton are at most this many.
bool has_long_counts(const Regex& regex);

}  // namespace hearth::grammar
