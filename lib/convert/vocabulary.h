// Vocabularies of Hugging Face folders in the terms of GGUF's tokenizer.ggml keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "hearth/tokenizer.h"
#include "lib/json/document.h"

namespace hearth {

struct Vocabulary {
  std::string model;                ///< tokenizer.ggml.model: "gpt2", "llama", "bert", "t5"
  std::string pre;                  ///< tokenizer.ggml.pre; empty: no such key
  std::vector<std::string> tokens;  ///< by id
  std::vector<int32_t> types;       ///< TokenKind of each
  std::vector<float> scores;        ///< of each, or none
  std::vector<std::string> merges;  ///< "left right", or none
  std::string charsmap;             ///< SentencePiece's normalization rules, precompiled; empty: none
  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_spaces, lowercase, strip_accents;
  struct SpecialToken {
    std::string_view key;  ///< "bos": tokenizer.ggml.bos_token_id
    int64_t id;
  };
  std::vector<SpecialToken> special;
  std::string chat_template;  ///< empty: none
  std::vector<std::string> warnings;

  /// Sets an entry, with gaps before it filled by tokens that nothing produces. kFormat for ids that cannot be.
  Status set(int64_t id, std::string_view text, TokenKind kind);
  /// -1 when no entry has the text.
  int64_t find(std::string_view text) const;
  /// Fills up to n entries with "[PADn]" of the kind that nothing produces.
  Status pad_to(int64_t n);
};

/// Reads tokenizer.json of any kind that GGUF has: byte-level BPE, BPE with bytes as a last resort (SentencePiece),
/// Unigram, WordPiece. `pre` is the pre-tokenizer's name; empty: found by its rules, kUnsupported when they are
/// unknown.
Result<Vocabulary> read_tokenizer_json(std::string_view text, const std::string& pre);
/// Reads tokenizer.model, a SentencePiece model (protobuf).
Result<Vocabulary> read_sentence_piece(std::string_view bytes);
/// Reads vocab.txt, WordPiece: one token a line.
Result<Vocabulary> read_vocab_txt(std::string_view text, bool lowercase);

/// The vocabulary of a folder, with the special tokens and the chat template of the files beside it, filled up to
/// n_vocab.
Result<Vocabulary> read_vocabulary(const std::string& folder, json::Value config, int64_t n_vocab,
                                   const std::string& pre);

/// Writes the tokenizer.ggml keys and the chat template.
Status add_vocabulary(GgufWriter& out, const Vocabulary& vocabulary);

}  // namespace hearth
