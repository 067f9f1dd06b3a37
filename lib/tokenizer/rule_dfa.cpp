// Split rule to automaton: syntax tree -> program of threads (Thompson) -> ordered subset construction, where the
// order of the threads in a state is their priority (Cox, "Regular Expression Matching: the Virtual Machine
// Approach", 2009).
#include "lib/tokenizer/rule_dfa.h"

#include <algorithm>
#include <map>
#include <string>

namespace hearth {
namespace {

constexpr size_t kMaxInstructions = 20000;
constexpr size_t kMaxStates = 8000;

struct Instruction {
  enum class Kind : uint8_t { kSet, kSplit, kMatch, kMatchIfNoTextAhead };
  Kind kind;
  uint32_t set = 0;
  uint32_t next = 0;   ///< kSet, kSplit
  uint32_t other = 0;  ///< kSplit: taken when `next` leads to no match
};

/// Emits instructions back to front: every node knows what follows it.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(const RuleTree& tree) : tree_(tree) {
    const uint32_t match = add({.kind = Instruction::Kind::kMatch});
    start = emit(tree.root, match);
  }
  std::vector<Instruction> code;
  uint32_t start = 0;
  bool too_large = false;

 private:
  uint32_t add(Instruction instruction) {
    too_large = too_large || code.size() >= kMaxInstructions;
    if (!too_large) code.push_back(instruction);
    return static_cast<uint32_t>(code.size() - 1);
  }
  uint32_t split(uint32_t first, uint32_t second) {
    return add({.kind = Instruction::Kind::kSplit, .next = first, .other = second});
  }

  uint32_t emit(uint32_t index, uint32_t next) {
    const RuleNode& node = tree_.nodes[index];
    switch (node.kind) {
      case RuleNode::Kind::kSet: return add({.kind = Instruction::Kind::kSet, .set = node.set, .next = next});
      case RuleNode::Kind::kNoTextAhead: return add({.kind = Instruction::Kind::kMatchIfNoTextAhead});
      case RuleNode::Kind::kSequence:
        for (size_t i = node.parts.size(); i-- > 0;) next = emit(node.parts[i], next);
        return next;
      case RuleNode::Kind::kChoice: {
        uint32_t choice = emit(node.parts.back(), next);
        for (size_t i = node.parts.size() - 1; i-- > 0;) choice = split(emit(node.parts[i], next), choice);
        return choice;
      }
      case RuleNode::Kind::kRepeat: return emit_repeat(node, next);
    }
    return next;
  }

  uint32_t emit_repeat(const RuleNode& node, uint32_t next) {
    uint32_t tail = next;
    if (node.max == RuleNode::kUnbounded) {
      const uint32_t loop = split(0, next);
      if (!too_large) code[loop].next = emit(node.parts[0], loop);
      tail = loop;
    } else {
      for (uint32_t i = node.min; i < node.max && !too_large; ++i) tail = split(emit(node.parts[0], tail), next);
    }
    for (uint32_t i = 0; i < node.min && !too_large; ++i) tail = emit(node.parts[0], tail);
    return tail;
  }

  const RuleTree& tree_;
};

}  // namespace

/// Alphabet and states.
class DfaBuilder {
 public:
  DfaBuilder(const RuleTree& tree, const std::vector<Instruction>& code) : tree_(tree), code_(code) {}

  bool build(uint32_t start, RuleDfa& dfa) {
    build_alphabet(dfa);
    rows_.emplace_back();  // state 0: no thread is left
    std::vector<uint32_t> threads;
    mark_.assign(code_.size(), 0);
    follow(start, threads);
    state_of(std::move(threads));
    const size_t n_symbols = signatures_.size() + 1;
    for (size_t state = 1; state < rows_.size(); ++state) {
      if (rows_.size() > kMaxStates) return false;
      for (size_t symbol = 0; symbol < n_symbols; ++symbol) {
        const uint32_t next = step(state, symbol);
        rows_[state].push_back(next);
      }
    }
    dfa.table_.assign(rows_.size() * n_symbols, 0);
    for (size_t state = 1; state < rows_.size(); ++state) {
      for (size_t symbol = 0; symbol < n_symbols; ++symbol) {
        const uint32_t next = rows_[state][symbol];
        dfa.table_[state * n_symbols + symbol] =
            (next & RuleDfa::kMatchBefore) | static_cast<uint32_t>((next & ~RuleDfa::kMatchBefore) * n_symbols);
      }
    }
    dfa.start_ = static_cast<uint32_t>(n_symbols);
    return true;
  }

 private:
  /// Which sets hold the code point: characters with the same answer are one symbol. Bit `sets` is \s.
  uint8_t symbol_for(uint32_t code_point, unicode::CharCategory category) {
    std::vector<bool> signature;
    for (const CharSet& set : tree_.sets) signature.push_back(set.contains(code_point, category));
    signature.push_back(category == unicode::CharCategory::kSpace);
    for (size_t i = 0; i < signatures_.size(); ++i) {
      if (signatures_[i] == signature) return static_cast<uint8_t>(i + 1);
    }
    signatures_.push_back(std::move(signature));
    return static_cast<uint8_t>(signatures_.size());
  }

  void collect_borders(const CharSet& set, std::vector<uint32_t>& borders) {
    for (const auto& [first, last] : set.ranges) {
      if (first > 0x80) borders.push_back(first);
      if (last >= 0x80) borders.push_back(last + 1);
    }
    for (const CharSet& also : set.also) collect_borders(also, borders);
  }

  void build_alphabet(RuleDfa& dfa) {
    for (uint32_t c = 0; c < 128; ++c) dfa.ascii_[c] = symbol_for(c, unicode::category(c));
    std::vector<uint32_t>& borders = dfa.interval_starts_;
    for (const CharSet& set : tree_.sets) collect_borders(set, borders);
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (size_t interval = 0; interval <= borders.size(); ++interval) {
      const uint32_t sample = interval == 0 ? 0x80 : borders[interval - 1];
      for (int c = 0; c < unicode::kCategories; ++c) {
        dfa.symbols_.push_back(symbol_for(sample, static_cast<unicode::CharCategory>(c)));
      }
    }
  }

  /// Adds the instructions that wait for a character, reached from `at` without one, in order of priority.
  void follow(uint32_t at, std::vector<uint32_t>& threads) {
    if (mark_[at] == generation_) return;
    mark_[at] = generation_;
    const Instruction& instruction = code_[at];
    if (instruction.kind == Instruction::Kind::kSplit) {
      follow(instruction.next, threads);
      follow(instruction.other, threads);
    } else {
      threads.push_back(at);
    }
  }

  uint32_t state_of(std::vector<uint32_t> threads) {
    if (threads.empty()) return 0;
    const auto [found, is_new] = states_.emplace(threads, static_cast<uint32_t>(rows_.size()));
    if (is_new) {
      rows_.emplace_back();
      threads_.resize(rows_.size());
      threads_.back() = std::move(threads);
    }
    return found->second;
  }

  uint32_t step(size_t state, size_t symbol) {
    const bool at_end = symbol == 0;
    const bool no_text = at_end || signatures_[symbol - 1].back();
    uint32_t matched = 0;
    std::vector<uint32_t> next;
    ++generation_;
    const std::vector<uint32_t> threads = threads_[state];
    for (const uint32_t at : threads) {
      const Instruction& instruction = code_[at];
      const bool is_set = instruction.kind == Instruction::Kind::kSet;
      if (is_set && !at_end && signatures_[symbol - 1][instruction.set]) follow(instruction.next, next);
      if (is_set) continue;
      if (instruction.kind == Instruction::Kind::kMatch || no_text) {
        matched = RuleDfa::kMatchBefore;
        break;  // threads of lower priority lose
      }
    }
    return matched | state_of(std::move(next));
  }

  const RuleTree& tree_;
  const std::vector<Instruction>& code_;
  std::vector<std::vector<bool>> signatures_;
  std::map<std::vector<uint32_t>, uint32_t> states_;
  std::vector<std::vector<uint32_t>> threads_{1};
  std::vector<std::vector<uint32_t>> rows_;  // next state and match bit, by symbol
  std::vector<uint32_t> mark_;
  uint32_t generation_ = 1;
};

Result<RuleDfa> RuleDfa::compile(std::string_view pattern) {
  Result<RuleTree> tree = parse_rule(pattern);
  if (!tree) return tree.error();
  ProgramBuilder program(*tree);
  if (program.too_large) return Error{ErrorCode::kLimit, "split rule: program too large"};
  RuleDfa dfa;
  if (!DfaBuilder(*tree, program.code).build(program.start, dfa)) {
    return Error{ErrorCode::kLimit, "split rule: too many states"};
  }
  return dfa;
}

}  // namespace hearth
