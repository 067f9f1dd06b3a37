// What a Tokenizer shares among its copies.
#pragma once

#include <memory>

#include "hearth/tokenizer.h"
#include "lib/base/mutex.h"
#include "lib/tokenizer/special_splitter.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/tokenizer/vocab.h"

namespace hearth {

struct Tokenizer::Impl {
  explicit Impl(const GgufFile& gguf) : file(gguf) {}

  GgufFile file;  ///< keeps the bytes that `vocab` refers to
  Vocab vocab;
  std::unique_ptr<TextEncoder> encoder;
  SpecialSplitter all_specials;  ///< control, unknown and user-defined tokens
  SpecialSplitter user_defined;  ///< those that are found in any text

  // What a layer above has made of the vocabulary, once for all copies (lib/grammar/vocabulary.h).
  mutable Mutex companion_mutex;
  mutable std::shared_ptr<const void> companion;
};

/// The way from a Tokenizer to what it shares, for the layers above.
struct TokenizerInternals {
  static const Tokenizer::Impl& impl(const Tokenizer& tokenizer) { return *tokenizer.impl_; }
};

}  // namespace hearth
