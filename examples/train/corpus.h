// The corpus: an endless stream of documents about the small world, and the questions that it never contains.
// The rule: every combination of two parts (a person and a thing, two summands, ...) is put by its hash into
// training or held out, see is_held_out(). Documents draw from the first kind only; held-out questions are about
// the second kind only. No foreign text is used anywhere.
#pragma once

#include <string>
#include <vector>

#include "examples/train/dice.h"

namespace train {

constexpr std::string_view kEndOfText = "<|endoftext|>", kMessageStart = "<|im_start|>", kMessageEnd = "<|im_end|>";

/// The curriculum: a run begins with texts that mostly repeat themselves, for whoever has learned to copy finds answers
/// in texts sooner; then all kinds together.
enum class Stage { kCopying, kMixed };

/// One training document, markers included: a chat that ends with <|im_end|>, or plain text and <|endoftext|>.
struct Document {
  std::string text;
  size_t known = 0;  ///< byte from which the text repeats what it said; 0: it does not
};
Document document(Dice& dice, Stage stage);

/// A question in the chat format, up to where the assistant answers, and the only right answer.
struct HeldOutQuestion {
  std::string kind;
  std::string prompt;
  std::string answer;
};

/// The same questions for the same seed; no prompt comes twice.
std::vector<HeldOutQuestion> held_out_questions(size_t n, uint64_t seed = 1);

/// Writes or reads one JSON object a line: kind, prompt, answer. Reading gives nothing for a missing or broken file.
bool write_held_out(const std::string& path, const std::vector<HeldOutQuestion>& questions);
std::vector<HeldOutQuestion> read_held_out(const std::string& path);

}  // namespace train
