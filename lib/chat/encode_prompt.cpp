// Rendered prompts to tokens: special tokens from what the template wrote, plain text from everything else.
#include "hearth/chat_template.h"
#include "lib/base/guard.h"

namespace hearth {

std::string ChatPrompt::text() const {
  return guard_or(std::string(), [&] {
    std::string out;
    for (const Piece& piece : pieces) out += piece.text;
    return out;
  });
}

Result<std::vector<Token>> ChatTemplate::encode(const ChatPrompt& prompt, const Tokenizer& tokenizer) {
  return guard([&]() -> Result<std::vector<Token>> {
    std::string text;
    std::vector<TextSpan> special;
    for (const ChatPrompt::Piece& piece : prompt.pieces) {
      if (piece.trusted && !piece.text.empty()) {
        if (!special.empty() && special.back().end == text.size()) {
          special.back().end += piece.text.size();
        } else {
          special.push_back({text.size(), text.size() + piece.text.size()});
        }
      }
      text += piece.text;
    }
    auto ids = tokenizer.encode(text, EncodeOptions{.add_special = true}, special);
    if (!ids) return ids.error();
    // The template wrote BOS itself: the vocabulary's own is one too many.
    const std::optional<Token> bos = tokenizer.bos();
    if (bos && tokenizer.add_bos() && ids->size() >= 2 && (*ids)[0] == *bos && (*ids)[1] == *bos)
      ids->erase(ids->begin());
    const std::optional<Token> eos = tokenizer.eos();
    if (eos && tokenizer.add_eos() && !ids->empty() && ids->back() == *eos) ids->pop_back();
    return ids;
  });
}

}  // namespace hearth
