// Program: a grammar as an automaton over bytes with calls. Within a rule it is an ordinary non-deterministic
// automaton; a call enters another rule and remembers where to go on. Left recursion is refused, so that the calls open
// at one place are bounded by the number of rules.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hearth/result.h"
#include "lib/grammar/expr.h"

namespace hearth::grammar {

using NodeId = uint32_t;

enum class NodeKind : uint8_t {
  kBytes,    ///< edges[a, a + b): a byte in lo..hi leads to `to`
  kSplit,    ///< targets[a, a + b): any of them
  kCall,     ///< rule a, then node b
  kReturn,   ///< the end of a rule
  kToken,    ///< the token b, or with `limit` any other, then node a
  kCount,    ///< adds one to the counter (it stays at `limit`, where that is not negative), then node a
  kBelow,    ///< node a, if the counter is below limit
  kAtLeast,  ///< node a, if the counter is at least limit
  kMark,     ///< where the bits of bits() are not set in the counter: sets them, then node a
  kMissing,  ///< node a, if some of bits() is not set in the counter
  kMarked,   ///< node a, if all of bits() are set in the counter; the counter is 0 afterwards
  kLeave,    ///< node a, if the counter is at least limit; the counter is 0 afterwards
};

struct Edge {
  uint8_t lo, hi;
  NodeId to;
};

/// Every activation of a rule has one counter, 0 at first, which repetitions use in turn.
struct Node {
  NodeKind kind;
  bool in_text = false;  ///< any characters of a JSON string may follow, without end (escapes only where they must be)
  bool in_string = false;  ///< the same with all escapes, within the limits of strings[string]
  uint32_t string = 0;     ///< also of the node that only takes the closing quote; 0: none
  uint32_t a = 0, b = 0;
  int32_t limit = 0;
  /// Of the counter, where it is used as a set: b and limit are its halves.
  int64_t bits() const { return static_cast<int64_t>(uint64_t{b} | uint64_t{static_cast<uint32_t>(limit)} << 32); }
};

/// A JSON string: what its characters and its closing quote do.
struct StringBody {
  int32_t min, max;    ///< characters; max < 0: no limit
  NodeId after_quote;  ///< entered with the counter at 0
};

using ByteSet = std::array<uint64_t, 4>;

struct Rule {
  std::string name;
  NodeId start = 0;
  bool nullable = false;  ///< may match the empty text
  uint32_t rank = 0;      ///< below those of all rules that it may call before the first byte
};

/// Immutable once made.
struct Program {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<NodeId> targets;
  std::vector<StringBody> strings;   ///< the first is unused
  std::vector<ByteSet> first_bytes;  ///< per node: bytes of its edges
  std::vector<Rule> rules;           ///< the first is the start
  bool has_tokens = false;
  bool is_empty = false;  ///< nothing matches at all; known when dead ends were dropped
};

struct ProgramOptions {
  bool drop_dead_ends = true;  ///< leave out what can never come to an end of its rule
};

/// kFormat names a rule that is left-recursive; kLimit: more than 4 million nodes.
Result<Program> make_program(const ExprPool& pool, const ProgramOptions& options = {});

/// Fills in what is known of rules and nodes once the nodes are there: part of make_program.
Status finish_program(Program& program, const ProgramOptions& options);

}  // namespace hearth::grammar
