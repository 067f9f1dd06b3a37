// Runs the steps of a pre-tokenizer row one inside the other. In every step, what lies between two matches is a
// piece of its own.
#include "lib/tokenizer/pre_splitter.h"

#include <algorithm>
#include <bit>

#include "lib/unicode/properties.h"
#include "lib/unicode/utf8.h"

namespace hearth {

Result<PreSplitter> PreSplitter::create(const PreRule& rule) {
  PreSplitter splitter;
  for (const std::string_view text : rule.steps) {
    if (text.empty()) break;
    Step& step = splitter.steps_.emplace_back();
    if (text == kTrailingSpaceStep) {
      step.kind = StepKind::kTrailingSpace;
    } else if (text == kThousandsStep) {
      step.kind = StepKind::kThousands;
    } else if (text == kDigitGroupsStep) {
      step.kind = StepKind::kDigitGroups;
    } else if (text == kSpaceCascadeStep) {
      step.kind = StepKind::kSpaceCascade;
    } else {
      Result<RuleDfa> dfa = RuleDfa::compile(text);
      if (!dfa) return dfa.error();
      step.dfa = std::move(*dfa);
    }
  }
  return splitter;
}

void PreSplitter::split_from(size_t step, std::string_view text, WordSink& sink) const {
  if (text.empty()) return;
  if (step == steps_.size()) return sink.word(text);
  switch (steps_[step].kind) {
    case StepKind::kPattern: return split_pattern(step, text, sink);
    case StepKind::kTrailingSpace: return split_trailing_space(step, text, sink);
    case StepKind::kThousands: return split_thousands(step, text, sink);
    case StepKind::kDigitGroups: return split_digit_groups(step, text, sink);
    case StepKind::kSpaceCascade: return split_space_cascade(step, text, sink);
  }
}

void PreSplitter::split_pattern(size_t step, std::string_view text, WordSink& sink) const {
  const RuleDfa& dfa = steps_[step].dfa;
  const bool last = step + 1 == steps_.size();
  const char* end = text.data() + text.size();
  const char* unmatched = text.data();  // begin of what no match has covered yet
  for (const char* p = unmatched; p < end;) {
    const char* match_end = dfa.match(p, end);
    if (match_end == nullptr || match_end == p) {
      p += utf8::announced_length(static_cast<uint8_t>(*p));
      continue;
    }
    if (p > unmatched) split_from(step + 1, {unmatched, static_cast<size_t>(p - unmatched)}, sink);
    const std::string_view piece(p, static_cast<size_t>(match_end - p));
    if (last) {
      sink.word(piece);
    } else {
      split_from(step + 1, piece, sink);
    }
    p = unmatched = match_end;
  }
  split_from(step + 1, {unmatched, static_cast<size_t>(end - unmatched)}, sink);
}

/// Begin of the last character of `text`.
static size_t last_character(std::string_view text) {
  size_t i = text.size() - 1;
  while (i > 0 && (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) --i;
  return i;
}

void PreSplitter::split_trailing_space(size_t step, std::string_view text, WordSink& sink) const {
  size_t cut = text.size();
  while (cut > 0) {
    const size_t at = last_character(text.substr(0, cut));
    if (unicode::category(utf8::decode_clean(text.data() + at).value) != unicode::CharCategory::kSpace) break;
    cut = at;
  }
  split_from(step + 1, text.substr(0, cut), sink);
  split_from(step + 1, text.substr(cut), sink);
}

/// Splits before every group of three of the digits 0-9, counted from the end of their run.
void PreSplitter::split_thousands(size_t step, std::string_view text, WordSink& sink) const {
  const auto is_digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    if (!is_digit(i)) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && is_digit(end)) ++end;
    for (size_t cut = i + (end - i) % 3; cut < end; cut += 3) {
      split_from(step + 1, text.substr(begin, cut - begin), sink);
      begin = cut;
    }
    i = end;
  }
  split_from(step + 1, text.substr(begin), sink);
}

/// Numbers (any script) in groups of three from the right; text before a number stays with its first group.
void PreSplitter::split_digit_groups(size_t step, std::string_view text, WordSink& sink) const {
  const auto is_number = [&](size_t i) {
    return unicode::category(utf8::decode_clean(text.data() + i).value) == unicode::CharCategory::kNumber;
  };
  const auto after = [&](size_t i) { return i + utf8::announced_length(static_cast<uint8_t>(text[i])); };
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    if (!is_number(i)) {
      i = after(i);
      continue;
    }
    size_t count = 0;
    for (size_t j = i; j < text.size() && is_number(j); j = after(j)) ++count;
    size_t left_in_group = count % 3 == 0 ? 3 : count % 3;
    for (; count > 0; --count) {
      i = after(i);
      if (--left_in_group > 0) continue;
      split_from(step + 1, text.substr(begin, i - begin), sink);
      begin = i;
      left_in_group = 3;
    }
  }
  split_from(step + 1, text.substr(begin), sink);
}

/// A piece of blanks only, unless it ends a line, in parts of 512, 256, ..., 4, 2 and 1 characters.
void PreSplitter::split_space_cascade(size_t step, std::string_view text, WordSink& sink) const {
  constexpr size_t kLargest = 512;
  std::vector<size_t> ends;  // of the characters
  for (size_t i = 0; i < text.size(); ends.push_back(i)) {
    const utf8::CodePoint c = utf8::decode_clean(text.data() + i);
    if (unicode::category(c.value) != unicode::CharCategory::kSpace) return split_from(step + 1, text, sink);
    i += c.n_bytes;
  }
  if (text.back() == '\r' || text.back() == '\n') return split_from(step + 1, text, sink);
  size_t begin = 0;
  for (size_t done = 0; done < ends.size();) {
    done += std::min(kLargest, std::bit_floor(ends.size() - done));
    split_from(step + 1, text.substr(begin, ends[done - 1] - begin), sink);
    begin = ends[done - 1];
  }
}

}  // namespace hearth
