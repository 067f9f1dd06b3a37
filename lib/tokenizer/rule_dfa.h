// RuleDfa: a split rule as a deterministic automaton; finds the match that a backtracking engine would find
// (first alternative wins, greedy repeats) in one pass over the characters.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "hearth/result.h"
#include "lib/base/heap_bytes.h"
#include "lib/tokenizer/rule_parser.h"
#include "lib/unicode/properties.h"
#include "lib/unicode/utf8.h"

namespace hearth {

class RuleDfa {
 public:
  static Result<RuleDfa> compile(std::string_view pattern);

  /// End of the match that begins at `begin`, or nullptr. `begin < end`; the text is clean UTF-8 (utf8::is_clean).
  const char* match(const char* begin, const char* end) const {
    const char* matched = nullptr;
    const char* p = begin;
    uint32_t state = start_;
    while (p != end) {
      uint32_t step = 1;
      uint32_t symbol;
      if (static_cast<uint8_t>(*p) < 0x80) {
        symbol = ascii_[static_cast<uint8_t>(*p)];
      } else {
        const utf8::CodePoint c = utf8::decode_clean(p);
        symbol = symbol_of(c.value);
        step = c.n_bytes;
      }
      const uint32_t next = table_[state + symbol];
      if (next & kMatchBefore) matched = p;
      state = next & ~kMatchBefore;
      if (state == 0) return matched;
      p += step;
    }
    return table_[state] & kMatchBefore ? end : matched;
  }

  uint64_t memory_bytes() const { return heap_bytes(table_) + heap_bytes(interval_starts_) + heap_bytes(symbols_); }

 private:
  friend class DfaBuilder;
  /// Table entries: offset of the next state's row (0: no thread is left), and whether the match found so far
  /// ends before this symbol. Symbol 0 is the end of the text.
  static constexpr uint32_t kMatchBefore = 0x80000000u;

  uint32_t symbol_of(uint32_t code_point) const {
    size_t interval = 0;
    for (size_t n = interval_starts_.size(); n > 0;) {  // upper bound
      const size_t half = n / 2;
      if (interval_starts_[interval + half] <= code_point) {
        interval += half + 1;
        n -= half + 1;
      } else {
        n = half;
      }
    }
    return symbols_[interval * unicode::kCategories + static_cast<size_t>(unicode::category(code_point))];
  }

  uint32_t start_ = 0;
  std::vector<uint32_t> table_;            // [states][symbols]
  std::array<uint8_t, 128> ascii_{};       // symbol of each ASCII character
  std::vector<uint32_t> interval_starts_;  // code points >= 0x80 where the answer of some range changes, ascending
  std::vector<uint8_t> symbols_;           // [intervals + 1][categories]
};

}  // namespace hearth
