// TextEncoder: text without special tokens to token ids; one implementation a kind of vocabulary.
#pragma once

#include <memory>
#include <string_view>

#include "hearth/gguf.h"
#include "lib/tokenizer/token_sink.h"
#include "lib/tokenizer/vocab.h"
#include "lib/tokenizer/word_cache.h"

namespace hearth {

class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  /// Heap bytes of its tables.
  virtual uint64_t memory_bytes() const = 0;
  /// Any bytes. `after_special` is true at the begin of the text and after a special token. `cache` belongs to one
  /// call of Tokenizer::encode, which may hold several texts.
  virtual Status encode(std::string_view text, bool after_special, WordCache& cache, TokenSink& out) const = 0;
};

/// Encoders refer to `vocab`, which must outlive them and not move.
Result<std::unique_ptr<TextEncoder>> make_byte_pair_encoder(const GgufFile& file, const Vocab& vocab);
Result<std::unique_ptr<TextEncoder>> make_sentence_piece_encoder(const Vocab& vocab);
Result<std::unique_ptr<TextEncoder>> make_word_piece_encoder(const Vocab& vocab);
Result<std::unique_ptr<TextEncoder>> make_unigram_encoder(const GgufFile& file, const Vocab& vocab);

}  // namespace hearth
