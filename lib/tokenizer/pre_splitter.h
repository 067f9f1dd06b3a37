// PreSplitter: cuts text into the words inside which a byte-pair vocabulary may merge, as a pre-tokenizer row asks.
#pragma once

#include <string_view>
#include <vector>

#include "hearth/result.h"
#include "lib/base/heap_bytes.h"
#include "lib/tokenizer/pre_rules.h"
#include "lib/tokenizer/rule_dfa.h"

namespace hearth {

/// Receives words; they are never empty and together are the whole text.
class WordSink {
 public:
  virtual void word(std::string_view text) = 0;

 protected:
  ~WordSink() = default;
};

class PreSplitter {
 public:
  static Result<PreSplitter> create(const PreRule& rule);

  /// `text` is clean UTF-8 (utf8::is_clean).
  void split(std::string_view text, WordSink& sink) const { split_from(0, text, sink); }
  uint64_t memory_bytes() const {
    uint64_t bytes = heap_bytes(steps_);
    for (const Step& step : steps_) bytes += step.dfa.memory_bytes();
    return bytes;
  }

 private:
  enum class StepKind : uint8_t { kPattern, kTrailingSpace, kThousands, kDigitGroups, kSpaceCascade };
  struct Step {
    StepKind kind = StepKind::kPattern;
    RuleDfa dfa{};
  };

  void split_from(size_t step, std::string_view text, WordSink& sink) const;
  void split_pattern(size_t step, std::string_view text, WordSink& sink) const;
  void split_trailing_space(size_t step, std::string_view text, WordSink& sink) const;
  void split_thousands(size_t step, std::string_view text, WordSink& sink) const;
  void split_digit_groups(size_t step, std::string_view text, WordSink& sink) const;
  void split_space_cascade(size_t step, std::string_view text, WordSink& sink) const;

  std::vector<Step> steps_;
};

}  // namespace hearth
