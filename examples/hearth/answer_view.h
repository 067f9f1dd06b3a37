// Showing an answer as it is written: thinking and calls of tools apart from what is said, lines broken at blanks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "word_wrap.h"

namespace hearth_tool {

/// A part of an answer.
struct AnswerPart {
  enum class Kind { kSaid, kThought, kToolCall };
  Kind kind = Kind::kSaid;
  std::string text{};
  bool is_last = false;  ///< the section ends with it
};

/// Finds the marks that models write around thoughts and calls of tools, however the text is cut into pieces.
class AnswerSplitter {
 public:
  /// thinking: the prompt ends with the mark that begins a thought.
  explicit AnswerSplitter(bool thinking = false);
  std::vector<AnswerPart> push(std::string_view piece);
  std::vector<AnswerPart> finish();

 private:
  void take(size_t n, bool is_last, std::vector<AnswerPart>& parts);

  AnswerPart::Kind kind_ = AnswerPart::Kind::kSaid;
  std::string_view close_;  ///< the mark that ends the section; empty: the end of the answer
  std::string pending_;
};

/// "name {arguments}" for each call of a section; the text itself when it is no JSON of that kind.
std::string describe_tool_calls(const std::string& section);

/// Prints an answer: for people where standard output is a terminal, elsewhere just as the model writes it.
class AnswerView {
 public:
  /// show_thoughts: off, a person sees only that there was one.
  explicit AnswerView(bool thinking, bool show_thoughts = true);
  bool push(std::string_view piece);
  /// Ends the last line.
  bool finish();

 private:
  bool show(const std::vector<AnswerPart>& parts);
  bool show_said(const AnswerPart& part);
  bool show_thought(const AnswerPart& part);

  bool for_people_, show_thoughts_;
  AnswerSplitter splitter_;
  WordWrap wrap_;
  std::string call_;  ///< of a tool, as far as it came
  bool in_thought_ = false, skips_blank_lines_ = false, has_text_ = false;
  char last_ = '\n';
};

}  // namespace hearth_tool
