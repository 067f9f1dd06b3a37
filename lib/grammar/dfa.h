// Deterministic automata over code points: what patterns, formats, ranges of numbers and names of properties become,
// so that they can be intersected, subtracted and compared. Every operation is bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/grammar/code_set.h"

namespace hearth::grammar {

/// State 0 is the start; a missing move is a refusal. Only states that reach an accepting one are kept, in all that
/// the functions below return.
struct Dfa {
  struct Move {
    uint32_t lo, hi, to;
  };
  std::vector<std::vector<Move>> moves;  ///< per state, ascending and disjoint
  std::vector<bool> accepts;

  size_t size() const { return accepts.size(); }
  bool is_empty() const;
  bool matches(std::string_view utf8) const;
  /// The states from which no character leads to a refusal, ever.
  std::vector<bool> universal() const;
};

inline constexpr size_t kMaxDfaStates = 20000;

/// Non-deterministic, as regular expressions give it: the input of determinize().
struct Nfa {
  struct State {
    CodeSet on;
    uint32_t to = 0;                ///< by a character of `on`
    std::vector<uint32_t> empties;  ///< without a character
  };
  std::vector<State> states;
  uint32_t start = 0, accept = 0;
  uint32_t add() {
    states.emplace_back();
    return static_cast<uint32_t>(states.size() - 1);
  }
};

/// nullopt when there would be more than kMaxDfaStates states.
std::optional<Dfa> determinize(const Nfa& nfa);
enum class Both : uint8_t { kAnd, kAndNot, kOr };
std::optional<Dfa> combine(const Dfa& a, const Dfa& b, Both how);
Dfa any_text();
/// Of exactly these texts (UTF-8).
Dfa of_texts(const std::vector<std::string>& texts);
/// Texts of `min` to `max` characters (max < 0: no limit). nullopt beyond kMaxDfaStates.
std::optional<Dfa> of_length(int64_t min, int64_t max);
/// Drops what cannot be reached or reaches nothing, and merges states that are equal.
Dfa minimized(const Dfa& dfa);

/// Shortest and longest text in characters; longest < 0: no limit. Of a Dfa that is not empty.
struct Lengths {
  int64_t min, max;
};
Lengths lengths_of(const Dfa& dfa);

}  // namespace hearth::grammar
