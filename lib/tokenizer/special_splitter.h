// SpecialSplitter: finds the tokens that are written in the text (control tokens when asked, user-defined ones
// always) before the vocabulary's own algorithm sees what lies between them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hearth/tokenizer.h"
#include "lib/base/heap_bytes.h"
#include "lib/tokenizer/byte_trie.h"
#include "lib/tokenizer/walk_budget.h"

namespace hearth {

struct SpecialToken {
  std::string_view text;
  Token id;
  bool eats_space_left = false;   ///< blanks before it belong to it
  bool eats_space_right = false;  ///< blanks after it belong to it
  bool anywhere = false;          ///< found outside of the spans that split() is given, too
};

/// A token, or text (id < 0).
struct Fragment {
  std::string_view text;
  Token id;
};

class SpecialSplitter {
 public:
  /// Longer tokens win over shorter ones anywhere in the text; equally long ones in the order given by sorting.
  explicit SpecialSplitter(std::vector<SpecialToken> tokens = {});

  /// Appends the fragments of `text`; text fragments are never empty. kLimit: see WalkBudget.
  Status split(std::string_view text, std::vector<Fragment>& out) const { return split(text, nullptr, out); }
  /// With `spans` (ascending, disjoint), tokens that are not `anywhere` are found inside a span only.
  Status split(std::string_view text, const std::span<const TextSpan>* spans, std::vector<Fragment>& out) const;
  uint64_t memory_bytes() const { return heap_bytes(tokens_) + trie_.memory_bytes(); }

 private:
  struct Candidate {
    uint32_t rank;  // index into tokens_: longest first
    size_t begin;
    size_t span_end;  // of the span that `begin` lies in
    /// std heap order: the smallest rank, then the smallest position, comes first.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : begin > other.begin;
    }
  };
  /// Rank of the longest token at `begin` that ends at or before `end`; -1 when there is none. Tokens that are not
  /// `anywhere` must end at or before `span_end`.
  int32_t longest_at(std::string_view text, size_t begin, size_t end, size_t span_end, WalkBudget& budget) const;
  std::vector<Candidate> claim(std::string_view text, std::vector<Candidate> candidates, std::vector<uint8_t>& owner,
                               WalkBudget& budget) const;

  std::vector<SpecialToken> tokens_;
  ByteTrie trie_;  // values are ranks
};

}  // namespace hearth
