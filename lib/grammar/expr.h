// Expressions: what GBNF, patterns and schemas are read into, before they become a Program. An expression is a number
// in the pool that made it; children are made before their parents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/grammar/code_set.h"
#include "lib/grammar/dfa.h"

namespace hearth::grammar {

using ExprId = uint32_t;
inline constexpr int32_t kUnbounded = -1;
inline constexpr size_t kMaxBag = 62;

enum class Op : uint8_t {
  kBytes,   ///< bytes[a, a + b); none: the empty text
  kChars,   ///< one character of sets[a], as `encoding` writes it
  kSeq,     ///< children[a, a + b), one after the other
  kAlt,     ///< one of children[a, a + b); of none: nothing matches
  kRepeat,  ///< a, min to max times
  kRule,    ///< rule a
  kToken,   ///< the token a, or with b any other
  kText,    ///< a text of dfas[a], as `encoding` writes its characters
  kList,    ///< children[a, ...): a comma, what may follow any number of times, then b items: each may be left out or
            ///< not, in their order; min to max of all of them
  kBag,     ///< the same in any order, each item once (at most kMaxBag of them), others anywhere between
  kString,  ///< the rest of any JSON string after its opening quote, of min to max characters, with the closing quote
};

/// How characters are written. JSON: within quotes; each character in one way only (escapes where they must be), so
/// that texts can be told apart by their bytes.
enum class Encoding : uint8_t { kPlain, kJson };

struct Expr {
  Op op;
  Encoding encoding = Encoding::kPlain;
  bool counts = false;  ///< uses the counter of its rule, see Program
  uint32_t a = 0, b = 0;
  int32_t min = 0, max = 0;
  uint32_t size = 1;  ///< nodes that it takes, about
};

/// The rules of a language and what they are made of.
class ExprPool {
 public:
  ExprId bytes(std::string_view text);
  ExprId chars(CodeSet set, Encoding encoding);
  ExprId seq(std::vector<ExprId> parts);
  ExprId alt(std::vector<ExprId> choices);
  ExprId repeat(ExprId what, int32_t min, int32_t max);
  ExprId optional(ExprId what) { return repeat(what, 0, 1); }
  ExprId rule(uint32_t number);
  ExprId token(int32_t id, bool any_other);
  struct Item {
    ExprId expr;
    bool required;
  };
  /// Items with commas between them, in this order; then any number of `others` (kUndefined: none).
  ExprId list(const std::vector<Item>& items, ExprId comma, ExprId others, int32_t min, int32_t max);
  /// The same in any order; at most kMaxBag items.
  ExprId bag(const std::vector<Item>& items, ExprId comma, ExprId others);
  ExprId text(Dfa dfa, Encoding encoding);
  ExprId string_rest(int32_t min, int32_t max);
  ExprId nothing() { return alt({}); }
  ExprId empty() { return bytes({}); }

  uint32_t add_rule(std::string name);
  void define(uint32_t rule, ExprId body) { rules[rule].second = body; }

  std::vector<Expr> exprs;
  std::vector<ExprId> children;
  std::string letters;
  std::vector<CodeSet> sets;
  std::vector<Dfa> dfas;
  std::vector<std::pair<std::string, ExprId>> rules;  ///< names are for messages; the first is the start

 private:
  ExprId add(Expr expr);
  ExprId group(Op op, const std::vector<ExprId>& parts);
  ExprId group_items(Op op, const std::vector<Item>& items, ExprId comma, ExprId others, int32_t min, int32_t max);
  /// As a rule of its own, if it uses the counter.
  ExprId with_own_counter(ExprId what);
};

inline constexpr ExprId kUndefined = ~ExprId{0};

}  // namespace hearth::grammar
