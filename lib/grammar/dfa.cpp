// Subset construction, products and minimization of automata over code points.
#include "lib/grammar/dfa.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "lib/unicode/utf8.h"

namespace hearth::grammar {
namespace {

using Move = Dfa::Move;
constexpr uint32_t kNone = ~uint32_t{0};
constexpr size_t kMaxMinimizing = 300'000;  // states looked at

/// Adds a move after the others; joins it with the last one where they touch.
void append_move(std::vector<Move>& moves, uint32_t lo, uint32_t hi, uint32_t to) {
  if (!moves.empty() && moves.back().to == to && moves.back().hi + 1 == lo) {
    moves.back().hi = hi;
  } else {
    moves.push_back({lo, hi, to});
  }
}

void follow_empties(const Nfa& nfa, std::vector<uint32_t>& set, std::vector<uint32_t>& mark, uint32_t epoch) {
  std::vector<uint32_t> work = set;
  for (const uint32_t s : set) mark[s] = epoch;
  while (!work.empty()) {
    const uint32_t s = work.back();
    work.pop_back();
    for (const uint32_t t : nfa.states[s].empties) {
      if (mark[t] == epoch) continue;
      mark[t] = epoch;
      set.push_back(t);
      work.push_back(t);
    }
  }
  std::sort(set.begin(), set.end());
}

/// Where ranges of the states in a set begin or end: between two cuts all characters do the same.
std::vector<uint32_t> cuts_of(const Nfa& nfa, const std::vector<uint32_t>& set) {
  std::vector<uint32_t> cuts;
  for (const uint32_t s : set) {
    for (const CodeRange& r : nfa.states[s].on.ranges()) {
      cuts.push_back(r.lo);
      cuts.push_back(r.hi + 1);
    }
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

/// The target of a character in moves that are ascending; kNone: a refusal.
uint32_t target(const std::vector<Move>& moves, uint32_t code) {
  const auto at =
      std::lower_bound(moves.begin(), moves.end(), code, [](const Move& m, uint32_t c) { return m.hi < c; });
  return at != moves.end() && at->lo <= code ? at->to : kNone;
}

/// Which states reach an accepting one.
std::vector<bool> productive(const Dfa& dfa) {
  std::vector<std::vector<uint32_t>> from(dfa.size());
  std::vector<uint32_t> work;
  std::vector<bool> good(dfa.size());
  for (uint32_t s = 0; s < dfa.size(); ++s) {
    for (const Move& m : dfa.moves[s]) from[m.to].push_back(s);
    if (!dfa.accepts[s]) continue;
    good[s] = true;
    work.push_back(s);
  }
  while (!work.empty()) {
    const uint32_t s = work.back();
    work.pop_back();
    for (const uint32_t p : from[s]) {
      if (good[p]) continue;
      good[p] = true;
      work.push_back(p);
    }
  }
  return good;
}

/// Without the moves to states that reach nothing.
Dfa trimmed(Dfa dfa) {
  const std::vector<bool> good = productive(dfa);
  for (auto& moves : dfa.moves) {
    std::erase_if(moves, [&](const Move& m) { return !good[m.to]; });
  }
  return dfa;
}

/// Two independent hashes of 64 bits, together long enough to stand for what they were made of.
struct Fingerprint {
  uint64_t a = 0x243F6A8885A308D3, b = 0x13198A2E03707344;
  void add(uint64_t value) {
    a = (a ^ value) * 0x9E3779B97F4A7C15;
    a ^= a >> 29;
    b = (b + value) * 0xD6E8FEB86659FD93;
    b ^= b >> 32;
  }
  auto operator<=>(const Fingerprint&) const = default;
};

/// One round of refinement: states stay in a block as long as their moves go to the same blocks.
size_t refine(const Dfa& dfa, std::vector<uint32_t>& block) {
  std::vector<std::pair<Fingerprint, uint32_t>> keys(dfa.size());
  std::vector<Move> joined;
  for (uint32_t s = 0; s < dfa.size(); ++s) {
    joined.clear();
    for (const Move& m : dfa.moves[s]) append_move(joined, m.lo, m.hi, block[m.to]);
    keys[s].second = s;
    keys[s].first.add(block[s]);
    for (const Move& m : joined) {
      keys[s].first.add(uint64_t{m.lo} << 32 | m.hi);
      keys[s].first.add(m.to);
    }
  }
  std::sort(keys.begin(), keys.end());
  uint32_t n = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && keys[i].first != keys[i - 1].first) ++n;
    block[keys[i].second] = n;
  }
  return n + 1;
}

/// States numbered in the order in which they are reached from the start.
Dfa renumbered(const Dfa& dfa, const std::vector<uint32_t>& block, size_t n_blocks) {
  std::vector<uint32_t> number(n_blocks, kNone), representative;
  const auto number_of = [&](uint32_t s) {
    uint32_t& n = number[block[s]];
    if (n == kNone) {
      n = static_cast<uint32_t>(representative.size());
      representative.push_back(s);
    }
    return n;
  };
  Dfa out;
  number_of(0);
  for (size_t i = 0; i < representative.size(); ++i) {
    const uint32_t s = representative[i];
    out.moves.emplace_back();
    out.accepts.push_back(dfa.accepts[s]);
    std::vector<Move> moves;
    for (const Move& m : dfa.moves[s]) append_move(moves, m.lo, m.hi, number_of(m.to));
    out.moves.back() = std::move(moves);
  }
  return out;
}

}  // namespace

bool Dfa::is_empty() const {
  return std::none_of(accepts.begin(), accepts.end(), [](bool a) { return a; });
}

bool Dfa::matches(std::string_view utf8) const {
  uint32_t state = 0;
  for (const char *p = utf8.data(), *end = p + utf8.size(); p < end;) {
    const utf8::CodePoint c = utf8::decode(p, end);
    p += c.n_bytes;
    state = target(moves[state], c.value);
    if (state == kNone) return false;
  }
  return accepts[state];
}

std::vector<bool> Dfa::universal() const {
  std::vector<bool> good(size(), true);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t s = 0; s < size(); ++s) {
      if (!good[s]) continue;
      uint32_t next = 0;  // surrogates are no characters
      for (const Move& m : moves[s]) {
        if (next >= 0xD800 && next <= 0xE000) next = std::max(next, std::min(m.lo, uint32_t{0xE000}));
        if (m.lo > next || !good[m.to]) break;
        next = m.hi + 1;
      }
      if (next > kMaxCode) continue;
      good[s] = false;
      changed = true;
    }
  }
  return good;
}

Dfa minimized(const Dfa& dfa) {
  const Dfa kept = trimmed(dfa);
  std::vector<uint32_t> block(kept.size());
  for (size_t s = 0; s < kept.size(); ++s) block[s] = kept.accepts[s];
  size_t n_blocks = 0, work = 0;
  for (size_t n = refine(kept, block); n != n_blocks; n = refine(kept, block)) {
    n_blocks = n;
    work += kept.size();
    if (work < kMaxMinimizing) continue;  // long chains take as many rounds as states: leave those as they are
    for (size_t s = 0; s < kept.size(); ++s) block[s] = static_cast<uint32_t>(s);
    n_blocks = kept.size();
    break;
  }
  return renumbered(kept, block, n_blocks);
}

std::optional<Dfa> determinize(const Nfa& nfa) {
  std::map<Fingerprint, uint32_t> numbers;
  const auto print_of = [](const std::vector<uint32_t>& set) {
    Fingerprint print;
    for (const uint32_t s : set) print.add(s);
    return print;
  };
  std::vector<std::vector<uint32_t>> sets;
  std::vector<uint32_t> mark(nfa.states.size());
  uint32_t epoch = 0;
  size_t work = 0;
  const auto number_of = [&](std::vector<uint32_t> set) {
    follow_empties(nfa, set, mark, ++epoch);
    work += set.size() + 1;
    const auto [at, is_new] = numbers.try_emplace(print_of(set), static_cast<uint32_t>(sets.size()));
    if (is_new) sets.push_back(std::move(set));
    return at->second;
  };
  Dfa out;
  number_of({nfa.start});
  for (size_t i = 0; i < sets.size(); ++i) {
    if (sets.size() > kMaxDfaStates || work > 4'000'000) return std::nullopt;
    const std::vector<uint32_t> set = sets[i];
    out.accepts.push_back(std::binary_search(set.begin(), set.end(), nfa.accept));
    std::vector<Move> moves;
    const std::vector<uint32_t> cuts = cuts_of(nfa, set);
    for (size_t c = 0; c + 1 < cuts.size(); ++c) {
      std::vector<uint32_t> next;
      for (const uint32_t s : set) {
        if (nfa.states[s].on.contains(cuts[c])) next.push_back(nfa.states[s].to);
      }
      work += set.size();
      if (next.empty()) continue;
      std::sort(next.begin(), next.end());
      next.erase(std::unique(next.begin(), next.end()), next.end());
      append_move(moves, cuts[c], cuts[c + 1] - 1, number_of(std::move(next)));
    }
    out.moves.push_back(std::move(moves));
  }
  return minimized(out);
}

std::optional<Dfa> combine(const Dfa& a, const Dfa& b, Both how) {
  std::unordered_map<uint64_t, uint32_t> numbers;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  const auto number_of = [&](uint32_t x, uint32_t y) {
    const uint64_t key = uint64_t{x} << 32 | y;
    const auto [at, is_new] = numbers.try_emplace(key, static_cast<uint32_t>(pairs.size()));
    if (is_new) pairs.emplace_back(x, y);
    return at->second;
  };
  const auto accepts = [&](uint32_t x, uint32_t y) {
    const bool in_a = x != kNone && a.accepts[x], in_b = y != kNone && b.accepts[y];
    return how == Both::kOr ? in_a || in_b : in_a && in_b == (how == Both::kAnd);
  };
  const std::vector<Move> nothing;
  Dfa out;
  number_of(0, 0);
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs.size() > kMaxDfaStates) return std::nullopt;
    const auto [x, y] = pairs[i];
    out.accepts.push_back(accepts(x, y));
    const auto& xs = x == kNone ? nothing : a.moves[x];
    const auto& ys = y == kNone ? nothing : b.moves[y];
    std::vector<Move> moves;
    size_t p = 0, q = 0;
    for (uint32_t at = 0; at <= kMaxCode;) {  // the next stretch of characters over which neither changes
      while (p < xs.size() && xs[p].hi < at) ++p;
      while (q < ys.size() && ys[q].hi < at) ++q;
      uint32_t end = kMaxCode, to_x = kNone, to_y = kNone;
      const auto look = [&](const std::vector<Move>& m, size_t k, uint32_t& to) {
        if (k == m.size()) return;
        if (m[k].lo <= at) to = m[k].to;
        end = std::min(end, m[k].lo <= at ? m[k].hi : m[k].lo - 1);
      };
      look(xs, p, to_x);
      look(ys, q, to_y);
      const bool goes_on = how == Both::kOr    ? to_x != kNone || to_y != kNone
                           : how == Both::kAnd ? to_x != kNone && to_y != kNone
                                               : to_x != kNone;
      if (goes_on) append_move(moves, at, end, number_of(to_x, to_y));
      at = end + 1;
    }
    out.moves.push_back(std::move(moves));
  }
  return minimized(out);
}

Dfa any_text() {
  return {.moves = {{{0, kMaxCode, 0}}}, .accepts = {true}};
}

Dfa of_texts(const std::vector<std::string>& texts) {
  std::vector<std::map<uint32_t, uint32_t>> children(1);
  std::vector<bool> accepts(1);
  for (const std::string& text : texts) {
    uint32_t at = 0;
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
      const utf8::CodePoint c = utf8::decode(p, end);
      p += c.n_bytes;
      const auto [next, is_new] = children[at].try_emplace(c.value, static_cast<uint32_t>(children.size()));
      at = next->second;
      if (!is_new) continue;
      children.emplace_back();
      accepts.push_back(false);
    }
    accepts[at] = true;
  }
  Dfa out{.moves = {}, .accepts = accepts};
  for (const auto& node : children) {
    out.moves.emplace_back();
    for (const auto& [code, to] : node) append_move(out.moves.back(), code, code, to);
  }
  return out;
}

std::optional<Dfa> of_length(int64_t min, int64_t max) {
  const int64_t last = max < 0 ? min : max;
  if (last < 0 || last >= static_cast<int64_t>(kMaxDfaStates)) return std::nullopt;
  Dfa out;
  for (int64_t n = 0; n <= last; ++n) {
    out.accepts.push_back(n >= min);
    const auto to = static_cast<uint32_t>(std::min(n + 1, last));
    out.moves.emplace_back();
    if (n < last || max < 0) out.moves.back().push_back({0, kMaxCode, to});
  }
  return out;
}

Lengths lengths_of(const Dfa& dfa) {
  constexpr int64_t kFar = INT64_MAX;
  std::vector<int64_t> near(dfa.size(), kFar);
  std::vector<uint32_t> order{0}, entering(dfa.size());
  near[0] = 0;
  int64_t min = kFar;
  for (size_t i = 0; i < order.size(); ++i) {
    const uint32_t s = order[i];
    if (dfa.accepts[s]) min = std::min(min, near[s]);
    for (const Move& m : dfa.moves[s]) {
      ++entering[m.to];
      if (near[m.to] != kFar) continue;
      near[m.to] = near[s] + 1;
      order.push_back(m.to);
    }
  }
  // The longest way, in topological order; what is left over lies on a cycle.
  std::vector<uint32_t> ready;
  std::vector<int64_t> far(dfa.size());
  if (entering[0] == 0) ready.push_back(0);
  int64_t max = 0;
  for (size_t i = 0; i < ready.size(); ++i) {
    const uint32_t s = ready[i];
    if (dfa.accepts[s]) max = std::max(max, far[s]);
    for (const Move& m : dfa.moves[s]) {
      far[m.to] = std::max(far[m.to], far[s] + 1);
      if (--entering[m.to] == 0) ready.push_back(m.to);
    }
  }
  return {min, ready.size() == order.size() ? max : -1};
}

}  // namespace hearth::grammar
