// NamePattern: a regular expression searched for in tensor names, in time proportional to name times pattern.
//
// The subset of ECMAScript that concerns characters: literals, `.`, classes [a-z] [^.], \d \w \s and their complements,
// escaped characters, groups, |, ? * + {n} {n,} {n,m} (a `?` behind them changes nothing when only asking whether there
// is a match), ^ and $. No look-around, back-references or \b: kInvalidArgument.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth {

class NamePattern {
 public:
  /// kInvalidArgument names the position of what cannot be read; kLimit beyond 4096 steps.
  static Result<NamePattern> compile(std::string_view pattern);
  /// Whether any part of the text matches.
  bool found_in(std::string_view text) const;

 private:
  friend class NamePatternCompiler;
  /// Thompson's automaton (1968, "Regular expression search algorithm"): a step takes a byte of a set, or leads on to
  /// one or two others.
  struct Step {
    enum class Kind : uint8_t { kTake, kFork, kBegin, kEnd, kFound };
    Kind kind;
    uint32_t set = 0;              ///< kTake: index into sets_
    uint32_t next = 0, other = 0;  ///< other: kFork
  };
  void enter(std::vector<uint32_t>& list, std::vector<uint32_t>& seen, uint32_t mark, uint32_t step, bool at_begin,
             bool at_end) const;

  std::vector<Step> steps_;
  std::vector<std::bitset<256>> sets_;
  uint32_t first_ = 0;
};

}  // namespace hearth
