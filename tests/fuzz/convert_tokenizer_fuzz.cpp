// Fuzz entry: any bytes as tokenizer.json, tokenizer.model or vocab.txt (the first byte says which). What is accepted
// has a kind and a score, where there are scores, for every token.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/convert/vocabulary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto read = data[0] % 4 == 0   ? hearth::read_sentence_piece(text)
                    : data[0] % 4 == 1 ? hearth::read_vocab_txt(text, true)
                                       : hearth::read_tokenizer_json(text, data[0] % 4 == 2 ? "" : "gpt-2");
  if (!read) {
    if (read.error().message.empty()) __builtin_trap();
    return 0;
  }
  const hearth::Vocabulary& v = *read;
  if (v.tokens.empty() || v.types.size() != v.tokens.size()) __builtin_trap();
  if (!v.scores.empty() && v.scores.size() != v.tokens.size()) __builtin_trap();
  for (const int32_t type : v.types) {
    if (type < 1 || type > 6) __builtin_trap();
  }
  return 0;
}
