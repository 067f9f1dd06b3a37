// Walks of tries beside the automaton, cut short where the state is inside a JSON string.
#include "lib/grammar/mask.h"

#include <algorithm>
#include <vector>

namespace hearth::grammar {
namespace {

/// Calls f(node, state) for every node of the trie, the root included, that is reached from a state.
template <typename F>
void walk(const Trie& trie, Automaton& automaton, StateId from, F f) {
  std::vector<StateId> states(trie.depth + 1);
  states[0] = from;
  f(trie.nodes[0]);
  const auto n = static_cast<uint32_t>(trie.nodes.size());
  for (uint32_t i = 1; i < n;) {
    const TrieNode& node = trie.nodes[i];
    const StateId state = automaton.next(states[node.depth - 1], node.byte);
    if (state == kDead) {
      i = node.end;
      continue;
    }
    states[node.depth] = state;
    if (node.n_entries != 0) f(node);
    ++i;
  }
}

void walk_tokens(const Trie& trie, Automaton& automaton, StateId from, std::span<uint64_t> bits) {
  walk(trie, automaton, from, [&](const TrieNode& node) {
    for (uint32_t k = 0; k < node.n_entries; ++k) set_bit(bits, trie.entries[node.first + k].id);
  });
}

/// The place of a JSON string that is all there is to the state; nullptr: there is more, or no string.
const Place* only_string(const Automaton& automaton, StateId state) {
  const std::span<const Place> places = automaton.places(state);
  const std::vector<Node>& nodes = automaton.program().nodes;
  if (places.empty() || places.size() > 2 || automaton.accepts(state)) return nullptr;
  const Place* body = nullptr;
  for (const Place& p : places) {
    const Place& first = places[0];
    if (nodes[p.node].string == 0 || nodes[p.node].string != nodes[first.node].string) return nullptr;
    if (p.frame != first.frame || p.count != first.count) return nullptr;
    if (nodes[p.node].in_string) body = &p;
  }
  const bool has_quote = body && (places.size() == 2 || nodes[body->node].in_text);
  return has_quote ? body : nullptr;
}

void add_inside(const Vocabulary& v, int32_t room, std::span<uint64_t> bits) {
  const bool fits_all = room >= v.max_characters;
  const Bits& from = fits_all ? v.inside : v.within[static_cast<size_t>(std::min(room, Vocabulary::kWithin - 1))];
  std::copy(from.begin(), from.end(), bits.begin());
  if (fits_all) return;
  for (const TrieEntry& e : v.longer) {
    if (e.n_characters > room) break;
    set_bit(bits, e.id);
  }
}

/// Of a string that is all there is: tokens inside it are known, and so are those that close it, by what they say after
/// the quote.
void fill_string(Automaton& automaton, Place body, const Vocabulary& v, std::span<uint64_t> bits) {
  const StringBody string = automaton.program().strings[automaton.program().nodes[body.node].string];
  const auto count = static_cast<int32_t>(body.count);  // at most string.max or string.min
  const int32_t room = string.max < 0 ? INT32_MAX : string.max - count;
  add_inside(v, room, bits);
  const StateId closed = automaton.state_of({string.after_quote, body.frame, 0});
  const int32_t needed = string.min - count;
  walk(v.endings, automaton, closed, [&](const TrieNode& node) {
    for (uint32_t k = 0; k < node.n_entries; ++k) {
      const TrieEntry& e = v.endings.entries[node.first + k];
      if (e.n_characters >= needed && e.n_characters <= room) set_bit(bits, e.id);
    }
  });
}

/// True where all plain tokens may follow, whatever else.
bool takes_plain(const Automaton& automaton, StateId state, const Vocabulary& v) {
  const Program& p = automaton.program();
  for (const Place& place : automaton.places(state)) {
    const Node& node = p.nodes[place.node];
    if (node.in_text) return true;
    if (node.in_string && p.strings[node.string].max - place.count >= v.max_characters) return true;
  }
  return false;
}

void add_named_tokens(const Automaton& automaton, StateId state, const Vocabulary& v, std::span<uint64_t> bits) {
  for (const Place& place : automaton.places(state)) {
    const Node& node = automaton.program().nodes[place.node];
    if (node.kind != NodeKind::kToken) continue;
    const auto id = static_cast<Token>(node.b);
    if (node.limit == 0) {
      if (id < v.n_vocab) set_bit(bits, id);
      continue;
    }
    for (Token other = 0; other < v.n_vocab; ++other) {
      if (other != id && std::find(v.ends.begin(), v.ends.end(), other) == v.ends.end()) set_bit(bits, other);
    }
  }
}

}  // namespace

void fill_mask(Automaton& automaton, StateId state, const Vocabulary& vocabulary, std::span<uint64_t> bits) {
  std::fill(bits.begin(), bits.end(), 0);
  if (const Place* body = only_string(automaton, state)) {
    fill_string(automaton, *body, vocabulary, bits);
  } else if (takes_plain(automaton, state, vocabulary)) {
    std::copy(vocabulary.plain.begin(), vocabulary.plain.end(), bits.begin());
    walk_tokens(vocabulary.not_plain, automaton, state, bits);
  } else {
    walk_tokens(vocabulary.all, automaton, state, bits);
  }
  if (automaton.program().has_tokens) add_named_tokens(automaton, state, vocabulary, bits);
  if (!automaton.accepts(state)) return;
  for (const Token end : vocabulary.ends) set_bit(bits, end);
}

}  // namespace hearth::grammar
