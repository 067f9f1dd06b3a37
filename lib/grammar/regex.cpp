// From the tree of a regular expression to an automaton or to expressions.
#include "lib/grammar/regex.h"

#include <algorithm>
#include <map>

namespace hearth::grammar {
namespace {

using RegexKind = Regex::Kind;

constexpr size_t kMaxNfaStates = 60'000;

/// An Nfa whose empty moves may ask for the beginning or the end of the text.
class NfaBuilder {
 public:
  explicit NfaBuilder(const Regex& regex) : regex_(regex) {}

  /// nullopt: too large.
  std::optional<Nfa> run(bool whole) {
    nfa_.start = add();
    const uint32_t inner_start = add(), inner_end = add();
    nfa_.accept = add();
    for (const auto& [loop, to] : {std::pair{nfa_.start, inner_start}, std::pair{inner_end, nfa_.accept}}) {
      nfa_.states[loop].empties.push_back(to);
      if (whole) continue;
      const uint32_t any = add();
      nfa_.states[any] = {.on = CodeSet::all(), .to = loop, .empties = {}};
      nfa_.states[loop].empties.push_back(any);
    }
    build(regex_.root, inner_start, inner_end);
    if (nfa_.states.size() > kMaxNfaStates) return std::nullopt;
    return resolve_anchors();
  }

 private:
  uint32_t add() { return nfa_.states.size() > kMaxNfaStates ? 0 : nfa_.add(); }
  void link(uint32_t from, uint32_t to) { nfa_.states[from].empties.push_back(to); }
  void build(uint32_t id, uint32_t from, uint32_t to);
  void build_repeat(const Regex::Node& node, uint32_t from, uint32_t to);
  Nfa resolve_anchors();

  const Regex& regex_;
  Nfa nfa_;
  std::vector<std::pair<uint32_t, uint32_t>> begins_, ends_;
};

void NfaBuilder::build(uint32_t id, uint32_t from, uint32_t to) {
  if (nfa_.states.size() > kMaxNfaStates) return;
  const Regex::Node& node = regex_.nodes[id];
  switch (node.kind) {
    case RegexKind::kSet: {
      const uint32_t on = add();
      nfa_.states[on].on = node.set;
      nfa_.states[on].to = to;
      link(from, on);
      break;
    }
    case RegexKind::kBegin: begins_.emplace_back(from, to); break;
    case RegexKind::kEnd: ends_.emplace_back(from, to); break;
    case RegexKind::kAlt:
      for (const uint32_t kid : node.kids) {
        const uint32_t begin = add();
        link(from, begin);
        build(kid, begin, to);
      }
      break;
    case RegexKind::kSeq:
      for (const uint32_t kid : node.kids) {
        const uint32_t next = add();
        build(kid, from, next);
        from = next;
      }
      link(from, to);
      break;
    case RegexKind::kRepeat: build_repeat(node, from, to); break;
  }
}

void NfaBuilder::build_repeat(const Regex::Node& node, uint32_t from, uint32_t to) {
  const int32_t copies = node.max < 0 ? node.min : node.max;
  for (int32_t i = 0; i < copies && nfa_.states.size() <= kMaxNfaStates; ++i) {
    if (i >= node.min) link(from, to);
    const uint32_t next = add();
    build(node.kids[0], from, next);
    from = next;
  }
  if (node.max < 0) {
    const uint32_t loop = add(), next = add();
    link(from, loop);
    build(node.kids[0], loop, next);
    link(next, loop);
    from = loop;
  }
  link(from, to);
}

/// Two copies of every state: before the first character, where ^ may be passed, and after it. $ leads to a third copy,
/// which takes no characters.
Nfa NfaBuilder::resolve_anchors() {
  if (begins_.empty() && ends_.empty()) return std::move(nfa_);
  const auto n = static_cast<uint32_t>(nfa_.states.size());
  Nfa out;
  out.states.resize(size_t{4} * n + 1);  // first, later, and both at the end
  out.start = nfa_.start;
  out.accept = 4 * n;
  for (uint32_t copy = 0; copy < 4; ++copy) {
    for (uint32_t s = 0; s < n; ++s) {
      Nfa::State& state = out.states[copy * n + s];
      for (const uint32_t to : nfa_.states[s].empties) state.empties.push_back(copy * n + to);
      if (copy >= 2) continue;
      state.on = nfa_.states[s].on;
      state.to = n + nfa_.states[s].to;
    }
    for (const auto& [from, to] : ends_) out.states[copy * n + from].empties.push_back((copy | 2) * n + to);
    for (const auto& [from, to] : begins_) {
      if ((copy & 1) == 0) out.states[copy * n + from].empties.push_back(copy * n + to);
    }
    out.states[copy * n + nfa_.accept].empties.push_back(out.accept);
  }
  return out;
}

/// Expressions, with ^ and $ taken off the ends of the outermost alternatives.
class RegexWriter {
 public:
  RegexWriter(const Regex& regex, Encoding encoding, ExprPool& pool)
      : regex_(regex), encoding_(encoding), pool_(pool) {}

  ExprId top(uint32_t id, bool whole) {
    const Regex::Node& node = regex_.nodes[id];
    if (node.kind == RegexKind::kAlt) {
      std::vector<ExprId> choices;
      for (const uint32_t kid : node.kids) choices.push_back(top(kid, whole));
      return pool_.alt(std::move(choices));
    }
    std::vector<uint32_t> parts{id};
    if (node.kind == RegexKind::kSeq) parts = node.kids;
    bool begins = whole, ends = whole;
    while (!parts.empty() && regex_.nodes[parts.front()].kind == RegexKind::kBegin)
      begins = true, parts.erase(parts.begin());
    while (!parts.empty() && regex_.nodes[parts.back()].kind == RegexKind::kEnd) ends = true, parts.pop_back();
    std::vector<ExprId> out;
    if (!begins) out.push_back(anything());
    for (const uint32_t part : parts) out.push_back(write(part));
    if (!ends) out.push_back(anything());
    return pool_.seq(std::move(out));
  }
  bool fits() const { return fits_; }

 private:
  ExprId anything() { return pool_.repeat(pool_.chars(CodeSet::all(), encoding_), 0, kUnbounded); }
  ExprId write(uint32_t id) {
    const Regex::Node& node = regex_.nodes[id];
    std::vector<ExprId> kids;
    for (const uint32_t kid : node.kids) kids.push_back(write(kid));
    switch (node.kind) {
      case RegexKind::kSet: return pool_.chars(node.set, encoding_);
      case RegexKind::kSeq: return pool_.seq(std::move(kids));
      case RegexKind::kAlt: return pool_.alt(std::move(kids));
      case RegexKind::kRepeat: return pool_.repeat(kids[0], node.min, node.max);
      case RegexKind::kBegin:
      case RegexKind::kEnd: fits_ = false;
    }
    return pool_.empty();
  }

  const Regex& regex_;
  const Encoding encoding_;
  ExprPool& pool_;
  bool fits_ = true;
};

}  // namespace

std::optional<Dfa> automaton_of(const Regex& regex, bool whole) {
  const std::optional<Nfa> nfa = NfaBuilder(regex).run(whole);
  return nfa ? determinize(*nfa) : std::nullopt;
}

std::optional<ExprId> expression_of(const Regex& regex, bool whole, Encoding encoding, ExprPool& pool) {
  RegexWriter writer(regex, encoding, pool);
  const ExprId body = writer.top(regex.root, whole);
  return writer.fits() ? std::optional(body) : std::nullopt;
}

bool has_long_counts(const Regex& regex) {
  return std::any_of(regex.nodes.begin(), regex.nodes.end(),
                     [](const Regex::Node& n) { return n.kind == RegexKind::kRepeat && std::max(n.min, n.max) > 64; });
}

Result<ExprId> read_regex(std::string_view pattern, ExprPool& pool) {
  const Result<Regex> regex = parse_regex(pattern);
  if (!regex) return regex.error();
  if (const auto expr = expression_of(*regex, true, Encoding::kPlain, pool)) return *expr;
  std::optional<Dfa> dfa = automaton_of(*regex, true);
  if (!dfa) return Error{ErrorCode::kLimit, "pattern: it takes too many states"};
  return pool.text(std::move(*dfa), Encoding::kPlain);
}

}  // namespace hearth::grammar
