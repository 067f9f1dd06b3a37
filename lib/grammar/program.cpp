// What is known of a program before it runs: which rules may be empty, in which order they call each other, what can
// never come to an end.
#include "lib/grammar/program.h"

#include <algorithm>

#include "lib/base/concat.h"

namespace hearth::grammar {
namespace {

class Analysis {
 public:
  Analysis(Program& program, const ProgramOptions& options) : p_(program), options_(options) {}

  Status run() {
    find_nullable();
    if (Status status = find_ranks(); !status) return status;
    if (options_.drop_dead_ends) drop_dead_ends();
    find_first_bytes();
    return {};
  }

 private:
  /// Calls f(node) for what follows without a byte; a call's own rule is not among it, but what follows it is if the
  /// rule may be empty.
  template <typename F>
  void for_each_empty(const Node& n, F f) const {
    switch (n.kind) {
      case NodeKind::kSplit:
        for (uint32_t i = 0; i < n.b; ++i) f(p_.targets[n.a + i]);
        break;
      case NodeKind::kCall:
        if (p_.rules[n.a].nullable) f(n.b);
        break;
      case NodeKind::kCount:
      case NodeKind::kBelow:
      case NodeKind::kAtLeast:
      case NodeKind::kMark:
      case NodeKind::kMissing:
      case NodeKind::kMarked:
      case NodeKind::kLeave: f(n.a); break;
      default: break;
    }
  }
  template <typename F>
  void walk_empty(NodeId start, F f);
  void find_nullable();
  Status find_ranks();
  void drop_dead_ends();
  std::vector<bool> find_productive() const;
  void find_first_bytes();

  Program& p_;
  const ProgramOptions& options_;
  std::vector<uint32_t> seen_;
  uint32_t epoch_ = 0;
};

/// f(node) for every node that is reached from `start` without a byte; f returns false to go no further.
template <typename F>
void Analysis::walk_empty(NodeId start, F f) {
  seen_.resize(p_.nodes.size());
  ++epoch_;
  std::vector<NodeId> work{start};
  seen_[start] = epoch_;
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    f(p_.nodes[id]);
    for_each_empty(p_.nodes[id], [&](NodeId to) {
      if (seen_[to] == epoch_) return;
      seen_[to] = epoch_;
      work.push_back(to);
    });
  }
}

/// A rule is looked at again when one that stands in its way has turned out to be nullable.
void Analysis::find_nullable() {
  std::vector<std::vector<uint32_t>> waiting(p_.rules.size());  // for a rule to be nullable
  std::vector<uint32_t> work;
  for (uint32_t r = 0; r < p_.rules.size(); ++r) work.push_back(r);
  while (!work.empty()) {
    const uint32_t r = work.back();
    work.pop_back();
    if (p_.rules[r].nullable) continue;
    walk_empty(p_.rules[r].start, [&](const Node& n) {
      if (n.kind == NodeKind::kReturn) p_.rules[r].nullable = true;
      if (n.kind == NodeKind::kCall && !p_.rules[n.a].nullable) waiting[n.a].push_back(r);
    });
    if (!p_.rules[r].nullable) continue;
    work.insert(work.end(), waiting[r].begin(), waiting[r].end());
    waiting[r].clear();
  }
}

/// Topological order of "calls before its first byte", without recursion. A rule may also call from the middle; these
/// calls are ordered as well when the middle is reached with the start, and otherwise begin a closure of their own.
Status Analysis::find_ranks() {
  const size_t n_rules = p_.rules.size();
  std::vector<std::vector<uint32_t>> calls(n_rules);
  std::vector<uint32_t> callers(n_rules);
  for (uint32_t r = 0; r < n_rules; ++r) {
    walk_empty(p_.rules[r].start, [&](const Node& n) {
      if (n.kind == NodeKind::kCall) calls[r].push_back(n.a);
    });
    std::sort(calls[r].begin(), calls[r].end());
    calls[r].erase(std::unique(calls[r].begin(), calls[r].end()), calls[r].end());
    for (const uint32_t callee : calls[r]) ++callers[callee];
  }
  std::vector<uint32_t> ready;
  for (uint32_t r = 0; r < n_rules; ++r) {
    if (callers[r] == 0) ready.push_back(r);
  }
  for (size_t i = 0; i < ready.size(); ++i) {
    p_.rules[ready[i]].rank = static_cast<uint32_t>(i);
    for (const uint32_t callee : calls[ready[i]]) {
      if (--callers[callee] == 0) ready.push_back(callee);
    }
  }
  if (ready.size() == n_rules) return {};
  // What is left lies on a cycle or behind one: going back along callers that are left ends up on it.
  uint32_t at = 0;
  while (callers[at] == 0) ++at;
  for (size_t step = 0; step < n_rules; ++step) {
    for (uint32_t r = 0; r < n_rules; ++r) {
      if (callers[r] == 0 || !std::binary_search(calls[r].begin(), calls[r].end(), at)) continue;
      at = r;
      break;
    }
  }
  return Error{ErrorCode::kFormat, concat("grammar: rule ", p_.rules[at].name,
                                          " is left-recursive: it calls itself before its first character")};
}

/// Nodes from which the end of their rule can be reached.
std::vector<bool> Analysis::find_productive() const {
  const size_t n = p_.nodes.size();
  std::vector<uint32_t> first(n + 1), from;  // predecessors
  const auto for_each_arrow = [&](auto f) {
    for (uint32_t id = 0; id < n; ++id) {
      const Node& node = p_.nodes[id];
      if (node.kind == NodeKind::kBytes) {
        for (uint32_t i = 0; i < node.b; ++i) f(id, p_.edges[node.a + i].to);
      } else if (node.kind == NodeKind::kSplit) {
        for (uint32_t i = 0; i < node.b; ++i) f(id, p_.targets[node.a + i]);
      } else if (node.kind != NodeKind::kReturn) {
        f(id, node.kind == NodeKind::kCall ? node.b : node.a);
      }
    }
  };
  for_each_arrow([&](uint32_t, NodeId to) { ++first[to + 1]; });
  for (size_t i = 0; i < n; ++i) first[i + 1] += first[i];
  from.resize(first[n]);
  std::vector<uint32_t> place(first.begin(), first.end() - 1);
  for_each_arrow([&](uint32_t id, NodeId to) { from[place[to]++] = id; });

  std::vector<std::vector<NodeId>> waiting(p_.rules.size());  // calls whose continuation is fine
  std::vector<std::pair<NodeId, uint32_t>> starts;
  for (uint32_t r = 0; r < p_.rules.size(); ++r) starts.emplace_back(p_.rules[r].start, r);
  std::sort(starts.begin(), starts.end());
  std::vector<bool> good(n), good_rule(p_.rules.size());
  std::vector<NodeId> work;
  const auto mark = [&](NodeId id) {
    if (good[id]) return;
    good[id] = true;
    work.push_back(id);
  };
  for (NodeId id = 0; id < n; ++id) {
    if (p_.nodes[id].kind == NodeKind::kReturn) mark(id);
  }
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    for (uint32_t i = first[id]; i < first[id + 1]; ++i) {
      const Node& before = p_.nodes[from[i]];
      if (before.kind == NodeKind::kCall && !good_rule[before.a]) {
        waiting[before.a].push_back(from[i]);
      } else {
        mark(from[i]);
      }
    }
    auto at = std::lower_bound(starts.begin(), starts.end(), std::pair<NodeId, uint32_t>{id, 0});
    for (; at != starts.end() && at->first == id; ++at) {
      good_rule[at->second] = true;
      for (const NodeId call : waiting[at->second]) mark(call);
    }
  }
  return good;
}

void Analysis::drop_dead_ends() {
  const std::vector<bool> good = find_productive();
  p_.is_empty = !good[p_.rules[0].start];
  for (NodeId id = 0; id < p_.nodes.size(); ++id) {
    Node& node = p_.nodes[id];
    if (!good[id]) {
      node = {.kind = NodeKind::kSplit};
    } else if (node.kind == NodeKind::kBytes) {
      const auto begin = p_.edges.begin() + node.a;
      const auto end = std::remove_if(begin, begin + node.b, [&](const Edge& e) { return !good[e.to]; });
      node.b = static_cast<uint32_t>(end - begin);
    } else if (node.kind == NodeKind::kSplit) {
      const auto begin = p_.targets.begin() + node.a;
      const auto end = std::remove_if(begin, begin + node.b, [&](NodeId to) { return !good[to]; });
      node.b = static_cast<uint32_t>(end - begin);
    }
  }
}

void Analysis::find_first_bytes() {
  p_.first_bytes.assign(p_.nodes.size(), {});
  for (NodeId id = 0; id < p_.nodes.size(); ++id) {
    const Node& node = p_.nodes[id];
    if (node.kind != NodeKind::kBytes) continue;
    for (uint32_t i = 0; i < node.b; ++i) {
      const Edge& e = p_.edges[node.a + i];
      for (uint32_t b = e.lo; b <= e.hi; ++b) p_.first_bytes[id][b >> 6] |= uint64_t{1} << (b & 63);
    }
  }
}

}  // namespace

Status finish_program(Program& program, const ProgramOptions& options) {
  return Analysis(program, options).run();
}

}  // namespace hearth::grammar
