// Automaton: a Program made deterministic while it runs. A state is a set of places in the program together with the
// calls that are open there; equal states are stored once, so that what follows them (moves by a byte, masks of tokens)
// is computed once as well. Open calls form a graph: places with the same open calls share it, whatever the ambiguity.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/grammar/program.h"

namespace hearth::grammar {

using StateId = uint32_t;
inline constexpr StateId kDead = 0;  ///< nothing can follow, and nothing has ended here

/// A place: a node, the counter of its rule, and the frame of calls that are open around it.
struct Place {
  NodeId node;
  uint32_t frame;
  int64_t count;
  bool operator==(const Place&) const = default;
  auto operator<=>(const Place&) const = default;
};

/// Sets of places, each stored once and numbered from 0.
class PlaceSets {
 public:
  uint32_t add(std::span<const Place> sorted, uint32_t flag);
  std::span<const Place> operator[](uint32_t id) const {
    return std::span(places_).subspan(sets_[id].begin, sets_[id].size);
  }
  uint32_t flag(uint32_t id) const { return sets_[id].flag; }
  size_t size() const { return sets_.size(); }
  size_t bytes() const { return places_.size() * sizeof(Place) + sets_.size() * sizeof(Set) * 2; }

 private:
  struct Set {
    uint32_t begin, size, flag;
    uint64_t hash;
  };
  void grow();
  std::vector<Place> places_;
  std::vector<Set> sets_;
  std::vector<uint32_t> table_;  ///< open addressing; number + 1, 0: free
};

/// Not thread-safe: it grows as it is used. The program must outlive it.
class Automaton {
 public:
  explicit Automaton(const Program& program);

  StateId start();
  /// The state after a byte; kDead where it is refused.
  StateId next(StateId state, uint8_t byte) {
    const Row* row = rows_[state];
    const uint32_t known = row ? row->to[byte] : kUnknown;
    return known != kUnknown ? known : compute(state, byte);
  }
  /// The state after a token that the grammar names.
  StateId next_token(StateId state, int32_t token);

  bool accepts(StateId state) const { return states_.flag(state) != 0; }
  /// Places whose nodes are kBytes or kToken.
  std::span<const Place> places(StateId state) const { return states_[state]; }
  /// Bytes that may follow; each leads to a state that may still be kDead where a counter forbids it.
  ByteSet bytes_after(StateId state) const;
  /// The state that is in both places at once.
  StateId either(StateId a, StateId b);
  /// The state of one place and what it reaches without a byte.
  StateId state_of(Place place);

  /// True when a state was too large to be computed and became kDead. Stays true.
  bool too_large() const { return too_large_; }
  size_t bytes() const { return states_.bytes() + frames_.bytes() + rows_used_ * sizeof(Row) + rows_.size() * 8; }
  size_t size() const { return states_.size(); }
  /// True when a token that the grammar names may follow.
  bool takes_token(StateId state) const;
  /// The same states without what follows them, which is computed again.
  Automaton copy() const;
  /// Forgets all but these states, and renumbers them.
  void keep_only(std::span<StateId> states);
  const Program& program() const { return *program_; }

 private:
  static constexpr uint32_t kUnknown = ~uint32_t{0};
  struct Row {
    uint32_t to[256];
  };
  struct Call {
    uint32_t rank, rule;
    Place back;  ///< where to go on
    bool operator<(const Call& o) const { return rank != o.rank ? rank > o.rank : back > o.back; }
  };

  StateId compute(StateId state, uint8_t byte);
  StateId close();
  void visit(const Place& place);
  void expand(const Place& place);
  void call(const Node& node, const Place& place);
  void enter_lowest_call();
  bool first_visit(const Place& place);
  Row* row_of(StateId state);

  const Program* program_;
  PlaceSets states_, frames_;  ///< frame 0: outside of the start rule
  std::vector<Row*> rows_;
  std::vector<std::unique_ptr<Row[]>> row_blocks_;
  size_t rows_used_ = 0;
  bool too_large_ = false;

  // Work memory of close().
  std::vector<Place> work_, out_, entries_;
  std::vector<Call> calls_;  ///< a heap, lowest rank first
  std::vector<Place> seen_;
  std::vector<uint32_t> seen_epoch_;
  uint32_t epoch_ = 0;
  size_t n_seen_ = 0, n_steps_ = 0;
  bool accepts_ = false;
};

}  // namespace hearth::grammar
