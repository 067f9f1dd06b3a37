// From expressions to nodes: every expression is compiled in front of the node that follows it.
#include <algorithm>
#include <map>

#include "lib/base/concat.h"
#include "lib/grammar/program.h"
#include "lib/grammar/utf8_ranges.h"

namespace hearth::grammar {
namespace {

constexpr size_t kMaxNodes = 4'000'000;

class Compiler {
 public:
  explicit Compiler(const ExprPool& pool) : pool_(pool) { program_.strings.resize(1); }  // 0: no string

  Result<Program> run() {
    for (const auto& [name, body] : pool_.rules) {
      const NodeId end = add({.kind = NodeKind::kReturn});
      program_.rules.push_back({.name = name, .start = compile(body, end)});
      if (program_.nodes.size() > kMaxNodes) {
        return Error{ErrorCode::kLimit, concat("grammar: rule ", name, ": the grammar is too large")};
      }
    }
    return std::move(program_);
  }

 private:
  NodeId add(Node node) {
    if (program_.nodes.size() <= kMaxNodes) program_.nodes.push_back(node);  // run() refuses it then
    return static_cast<NodeId>(program_.nodes.size() - 1);
  }
  NodeId add_bytes(const std::vector<Edge>& edges) {
    const auto begin = static_cast<uint32_t>(program_.edges.size());
    program_.edges.insert(program_.edges.end(), edges.begin(), edges.end());
    return add({.kind = NodeKind::kBytes, .a = begin, .b = static_cast<uint32_t>(edges.size())});
  }
  NodeId add_split(const std::vector<NodeId>& targets) {
    const NodeId node = add({.kind = NodeKind::kSplit});
    set_targets(node, targets);
    return node;
  }
  void set_targets(NodeId node, const std::vector<NodeId>& targets) {
    program_.nodes[node].a = static_cast<uint32_t>(program_.targets.size());
    program_.nodes[node].b = static_cast<uint32_t>(targets.size());
    program_.targets.insert(program_.targets.end(), targets.begin(), targets.end());
  }

  NodeId compile(ExprId id, NodeId next);
  NodeId compile_bytes(std::string_view text, NodeId next);
  NodeId compile_repeat(const Expr& e, NodeId next);
  NodeId compile_counted(const Expr& e, NodeId next);
  NodeId compile_text(const Expr& e, NodeId next);
  NodeId compile_string(const Expr& e, NodeId next);
  NodeId compile_list(const Expr& e, NodeId next);
  NodeId compile_bag(const Expr& e, NodeId next);
  void add_character_edges(const CodeSet& set, Encoding encoding, NodeId next, std::vector<Edge>& edges);
  void add_sequences(const ByteSequence* begin, const ByteSequence* end, int depth, NodeId next,
                     std::vector<Edge>& edges);
  void add_escapes(const CodeSet& set, NodeId next, std::vector<Edge>& edges);
  NodeId hex_digits(const char* pattern, NodeId next);
  NodeId shared_bytes(const std::vector<Edge>& edges);

  const ExprPool& pool_;
  Program program_;
  std::map<std::vector<uint64_t>, NodeId> shared_;  ///< nodes of continuation bytes, by their edges
};

NodeId Compiler::compile(ExprId id, NodeId next) {
  if (id == kUndefined) return add_split({});
  const Expr& e = pool_.exprs[id];
  switch (e.op) {
    case Op::kBytes: return compile_bytes(std::string_view(pool_.letters).substr(e.a, e.b), next);
    case Op::kChars: {
      std::vector<Edge> edges;
      add_character_edges(pool_.sets[e.a], e.encoding, next, edges);
      return add_bytes(edges);
    }
    case Op::kSeq:
      for (uint32_t i = e.b; i > 0; --i) next = compile(pool_.children[e.a + i - 1], next);
      return next;
    case Op::kAlt: {
      std::vector<NodeId> targets;
      for (uint32_t i = 0; i < e.b; ++i) targets.push_back(compile(pool_.children[e.a + i], next));
      return add_split(targets);
    }
    case Op::kRepeat: return e.b ? compile_repeat(e, next) : compile_counted(e, next);
    case Op::kRule: return add({.kind = NodeKind::kCall, .a = e.a, .b = next});
    case Op::kToken:
      program_.has_tokens = true;
      return add({.kind = NodeKind::kToken, .a = next, .b = e.a, .limit = static_cast<int32_t>(e.b)});
    case Op::kText: return compile_text(e, next);
    case Op::kList: return compile_list(e, next);
    case Op::kBag: return compile_bag(e, next);
    case Op::kString: return compile_string(e, next);
  }
  return next;
}

NodeId Compiler::compile_bytes(std::string_view text, NodeId next) {
  for (size_t i = text.size(); i > 0; --i) {
    const auto byte = static_cast<uint8_t>(text[i - 1]);
    next = add_bytes({{byte, byte, next}});
  }
  return next;
}

/// Copies: min of them, then nested optional ones or a loop.
NodeId Compiler::compile_repeat(const Expr& e, NodeId next) {
  if (e.max < 0) {
    const NodeId loop = add({.kind = NodeKind::kSplit});
    const NodeId body = compile(e.a, loop);
    set_targets(loop, {body, next});
    next = e.min > 0 ? body : loop;
    for (int32_t i = 1; i < e.min; ++i) next = compile(e.a, next);
    return next;
  }
  const NodeId end = next;
  for (int32_t i = e.min; i < e.max; ++i) next = add_split({compile(e.a, next), end});
  for (int32_t i = 0; i < e.min; ++i) next = compile(e.a, next);
  return next;
}

NodeId Compiler::compile_counted(const Expr& e, NodeId next) {
  const NodeId loop = add({.kind = NodeKind::kSplit});
  const NodeId leave = add({.kind = NodeKind::kLeave, .a = next, .limit = e.min});
  const NodeId count = add({.kind = NodeKind::kCount, .a = loop, .limit = e.max < 0 ? e.min : -1});
  NodeId body = compile(e.a, count);
  if (e.max >= 0) body = add({.kind = NodeKind::kBelow, .a = body, .limit = e.max});
  set_targets(loop, {body, leave});
  return loop;
}

/// A node for every state of the automaton.
NodeId Compiler::compile_text(const Expr& e, NodeId next) {
  const Dfa& dfa = pool_.dfas[e.a];
  const std::vector<bool> universal = dfa.universal();
  std::vector<NodeId> entries;
  for (size_t s = 0; s < dfa.size(); ++s) entries.push_back(add({.kind = NodeKind::kSplit}));
  for (size_t s = 0; s < dfa.size(); ++s) {
    std::map<uint32_t, CodeSet> by_target;
    for (const Dfa::Move& m : dfa.moves[s]) by_target[m.to].add(m.lo, m.hi);
    std::vector<Edge> edges;
    for (const auto& [to, set] : by_target) add_character_edges(set, e.encoding, entries[to], edges);
    const NodeId body = add_bytes(edges);
    program_.nodes[body].in_text = universal[s] && e.encoding == Encoding::kJson;
    dfa.accepts[s] ? set_targets(entries[s], {body, next}) : set_targets(entries[s], {body});
  }
  return entries.empty() ? add_split({}) : entries[0];
}

/// Two nodes for every item: `some`, where something stands before it and a comma would have to follow, and `first`,
/// where an item must come now. With limits of their number items are counted, and no way is taken that cannot keep
/// them.
NodeId Compiler::compile_list(const Expr& e, NodeId next) {
  const auto at = [&](uint32_t i) { return pool_.children[e.a + i]; };
  const ExprId comma = at(0), others = at(1);
  const bool has_others = others != kUndefined, counts = e.min > 0 || e.max >= 0;
  const auto guard = [&](NodeKind kind, NodeId to, int64_t limit) {
    return add({.kind = kind, .a = to, .limit = static_cast<int32_t>(std::max<int64_t>(limit, 0))});
  };
  const auto counted = [&](ExprId item, NodeId to, int64_t needed_later) {
    if (counts) to = add({.kind = NodeKind::kCount, .a = to, .limit = e.max < 0 ? e.min : -1});
    NodeId entry = compile(item, to);
    if (e.max >= 0) entry = guard(NodeKind::kBelow, entry, e.max - needed_later);
    return entry;
  };
  const auto next_item = [&](NodeId to) {
    const NodeId entry = compile(comma, to);
    return e.max >= 0 ? guard(NodeKind::kBelow, entry, e.max) : entry;
  };
  const NodeId end = counts ? guard(NodeKind::kLeave, next, e.min) : next;
  NodeId some = end, first = add_split({});
  if (has_others) {
    some = add_split({});
    first = counted(others, some, 0);
    set_targets(some, {next_item(first), end});
  }
  int64_t n_required = 0;
  for (uint32_t i = e.b; i > 0; --i) {
    const bool required = at(2 * i + 1) != 0;
    const NodeId item = counted(at(2 * i), some, n_required);
    n_required += required;
    const int64_t n_later = e.b - i;
    const bool may_skip = !required;
    NodeId skip = first;
    if (may_skip && e.min > 0 && !has_others) skip = guard(NodeKind::kAtLeast, first, e.min - n_later);
    first = may_skip ? add_split({item, skip}) : item;
    some = n_required > 0 ? next_item(first) : add_split({next_item(first), end});
  }
  return n_required > 0 ? first : add_split({first, end});
}

/// One loop over all items; the counter is the set of those that were there.
NodeId Compiler::compile_bag(const Expr& e, NodeId next) {
  const auto at = [&](uint32_t i) { return pool_.children[e.a + i]; };
  const auto with_bits = [&](NodeKind kind, NodeId to, int64_t bits) {
    const auto word = static_cast<uint64_t>(bits);
    return add({.kind = kind, .a = to, .b = static_cast<uint32_t>(word), .limit = static_cast<int32_t>(word >> 32)});
  };
  const NodeId some = add_split({});
  std::vector<NodeId> choices;
  int64_t required = 0;
  for (uint32_t i = 0; i < e.b; ++i) {
    const int64_t bit = int64_t{1} << i;
    if (at(2 * i + 3) != 0) required |= bit;
    choices.push_back(with_bits(NodeKind::kMark, compile(at(2 * i + 2), some), bit));
  }
  const bool has_others = at(1) != kUndefined;
  if (has_others) choices.push_back(compile(at(1), some));
  const NodeId first = add_split(choices), end = with_bits(NodeKind::kMarked, next, required);
  NodeId comma = compile(at(0), first);
  if (!has_others) comma = with_bits(NodeKind::kMissing, comma, (int64_t{1} << e.b) - 1);
  set_targets(some, {comma, end});
  return add_split({first, end});
}

/// The body's loop, with a counter where there are limits. Unlike kText it takes any escape that JSON has.
NodeId Compiler::compile_string(const Expr& e, NodeId next) {
  const bool counts = e.min > 0 || e.max >= 0;
  const NodeId leave = counts ? add({.kind = NodeKind::kLeave, .a = next, .limit = e.min}) : next;
  const NodeId body = add({.kind = NodeKind::kBytes, .in_text = true, .in_string = true});
  NodeId after = body;
  if (counts) after = add({.kind = NodeKind::kCount, .a = body, .limit = e.max < 0 ? e.min : -1});
  // A character may only begin while there is room; the quote may come at any time.
  CodeSet raw(0x20, '"' - 1);
  raw.add('"' + 1, '\\' - 1);
  raw.add('\\' + 1, kMaxCode);
  std::vector<Edge> edges;
  add_character_edges(raw, Encoding::kPlain, after, edges);
  const NodeId low = add_bytes({{'\\', '\\', add_bytes({{'u', 'u', hex_digits("dlhh", after)}})}});
  const NodeId digits = add_split({hex_digits("nhhh", after), hex_digits("dehh", after), hex_digits("duhh", low)});
  const NodeId escape = add_bytes({{'"', '"', after},
                                   {'/', '/', after},
                                   {'\\', '\\', after},
                                   {'b', 'b', after},
                                   {'f', 'f', after},
                                   {'n', 'n', after},
                                   {'r', 'r', after},
                                   {'t', 't', after},
                                   {'u', 'u', digits}});
  edges.push_back({'\\', '\\', escape});
  NodeId entry = body;
  if (e.max >= 0) {  // the body's characters and its quote part ways
    const NodeId characters = add_bytes(edges);
    const NodeId below = add({.kind = NodeKind::kBelow, .a = characters, .limit = e.max});
    const NodeId quote = add_bytes({{'"', '"', leave}});
    entry = add_split({below, quote});
    program_.nodes[body] = {.kind = NodeKind::kSplit};
    set_targets(body, {below, quote});
    program_.nodes[characters].in_string = true;
    program_.nodes[characters].string = static_cast<uint32_t>(program_.strings.size());
    program_.nodes[quote].string = program_.nodes[characters].string;
  } else {
    edges.push_back({'"', '"', leave});
    program_.nodes[body].a = static_cast<uint32_t>(program_.edges.size());
    program_.nodes[body].b = static_cast<uint32_t>(edges.size());
    program_.edges.insert(program_.edges.end(), edges.begin(), edges.end());
    program_.nodes[body].string = static_cast<uint32_t>(program_.strings.size());
  }
  program_.strings.push_back({e.min, e.max, next});
  return entry;
}

/// Hexadecimal digits, each of a class: h any, n any but d, d D, l C to F, u 8 to B, e 0 to 7.
NodeId Compiler::hex_digits(const char* pattern, NodeId next) {
  const auto set_of = [](char c) -> std::vector<std::pair<char, char>> {
    switch (c) {
      case 'n': return {{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}};
      case 'd': return {{'D', 'D'}, {'d', 'd'}};
      case 'l': return {{'C', 'F'}, {'c', 'f'}};
      case 'u': return {{'8', '9'}, {'A', 'B'}, {'a', 'b'}};
      case 'e': return {{'0', '7'}};
      default: return {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    }
  };
  for (const char* p = pattern + 4; p != pattern; --p) {
    std::vector<Edge> edges;
    for (const auto& [lo, hi] : set_of(p[-1])) {
      edges.push_back({static_cast<uint8_t>(lo), static_cast<uint8_t>(hi), next});
    }
    next = add_bytes(edges);
  }
  return next;
}

/// A node with these edges, the same one when asked again.
NodeId Compiler::shared_bytes(const std::vector<Edge>& edges) {
  std::vector<uint64_t> key;
  for (const Edge& e : edges) key.push_back(uint64_t{e.lo} << 40 | uint64_t{e.hi} << 32 | e.to);
  const auto [at, is_new] = shared_.try_emplace(std::move(key));
  if (is_new) at->second = add_bytes(edges);
  return at->second;
}

/// Edges for the bytes from `depth` on of sequences that agree before.
void Compiler::add_sequences(const ByteSequence* begin, const ByteSequence* end, int depth, NodeId next,
                             std::vector<Edge>& edges) {
  while (begin != end) {
    const ByteRange range = begin->bytes[depth];
    const ByteSequence* last = begin;
    while (last != end && last->n == begin->n && last->bytes[depth] == range) ++last;
    if (depth == 3 || begin->n == depth + 1) {
      edges.push_back({range.lo, range.hi, next});
    } else {
      std::vector<Edge> below;
      add_sequences(begin, last, depth + 1, next, below);
      edges.push_back({range.lo, range.hi, shared_bytes(below)});
    }
    begin = last;
  }
}

void Compiler::add_character_edges(const CodeSet& set, Encoding encoding, NodeId next, std::vector<Edge>& edges) {
  CodeSet raw = set;
  if (encoding == Encoding::kJson) {
    CodeSet escaped(0, 0x1F);
    escaped.add('"');
    escaped.add('\\');
    add_escapes(set.common(escaped), next, edges);
    raw = set.common(escaped.inverted());
  }
  const std::vector<ByteSequence> sequences = utf8_sequences(raw);
  add_sequences(sequences.data(), sequences.data() + sequences.size(), 0, next, edges);
}

void Compiler::add_escapes(const CodeSet& set, NodeId next, std::vector<Edge>& edges) {
  constexpr std::pair<char, char> kShort[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                              {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
  std::vector<Edge> letters, tens[2];
  for (const auto& [code, letter] : kShort) {
    const auto byte = static_cast<uint8_t>(letter);
    if (set.contains(static_cast<uint8_t>(code))) letters.push_back({byte, byte, next});
  }
  for (uint32_t c = 0; c < 0x20; ++c) {
    const bool is_short = (c >= 8 && c <= 10) || c == 12 || c == 13;
    if (is_short || !set.contains(c)) continue;
    const auto digit = static_cast<uint8_t>("0123456789abcdef"[c & 15]);
    tens[c >> 4].push_back({digit, digit, next});
    if (digit >= 'a') tens[c >> 4].push_back({uint8_t(digit - 32), uint8_t(digit - 32), next});
  }
  std::vector<Edge> high;
  for (uint8_t i = 0; i < 2; ++i) {
    if (!tens[i].empty()) high.push_back({uint8_t('0' + i), uint8_t('0' + i), shared_bytes(tens[i])});
  }
  if (!high.empty()) {
    const NodeId zero = shared_bytes({{'0', '0', shared_bytes(high)}});
    letters.push_back({'u', 'u', shared_bytes({{'0', '0', zero}})});
  }
  if (!letters.empty()) edges.push_back({'\\', '\\', shared_bytes(letters)});
}

}  // namespace

Result<Program> make_program(const ExprPool& pool, const ProgramOptions& options) {
  Result<Program> program = Compiler(pool).run();
  if (!program) return program;
  if (Status status = finish_program(*program, options); !status) return status.error();
  return program;
}

}  // namespace hearth::grammar
