// Tokenizer: text to token ids and back, exactly as the model's makers do it.
//
//   auto file = hearth::GgufFile::open("model.gguf");
//   auto tok = hearth::Tokenizer::from_gguf(*file);
//   auto ids = tok->encode("Once upon a time", {.add_special = true});
//   hearth::TokenDecoder stream(*tok);
//   for (hearth::Token id : *ids) std::fputs(std::string(stream.push(id)).c_str(), stdout);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/batch.h"
#include "hearth/gguf.h"
#include "hearth/result.h"

namespace hearth {

/// What a vocabulary entry is (tokenizer.ggml.token_type).
enum class TokenKind : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct EncodeOptions {
  bool add_special = false;    ///< BOS/EOS/CLS/SEP as the vocabulary asks for them
  bool parse_special = false;  ///< control tokens written in the text become those tokens; otherwise plain text
};

/// Bytes [begin, end) of a text.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
};

struct DecodeOptions {
  bool skip_special = false;  ///< leave control tokens out
};

/// An immutable vocabulary with its rules. Copying is cheap (shared); all members may be called from any
/// thread at once. Strings are views into the tokenizer and live as long as any copy of it.
class Tokenizer {
 public:
  /// Reads the `tokenizer.ggml.*` keys. Every array length, id and merge is checked. An unknown
  /// `tokenizer.ggml.model` or `.pre` is kUnsupported and named. Small faults (texts that repeat, special ids outside,
  /// unknown token types, merges that are none) are worked around; see warning(). A file of the kind "none" has no
  /// tokens and takes no text. Keeps `file` alive.
  static Result<Tokenizer> from_gguf(const GgufFile& file);

  /// Token ids of `text` (any bytes; invalid UTF-8 is handled as the vocabulary's kind defines).
  /// Linear in the length of the text. kLimit for texts above 2 GiB, and for texts that begin tokens of thousands of
  /// bytes in many places, which only made-up vocabularies have.
  Result<std::vector<Token>> encode(std::string_view text, const EncodeOptions& options = {}) const;
  /// The same, but control tokens count as such only where they lie inside one of the `special` spans (ascending,
  /// disjoint, inside the text); options.parse_special is not looked at. What lies between two special tokens is
  /// tokenized as one text, whatever spans it touches.
  Result<std::vector<Token>> encode(std::string_view text, const EncodeOptions& options,
                                    std::span<const TextSpan> special) const;
  /// Number of tokens that encode() would give, without storing them.
  Result<size_t> count(std::string_view text, const EncodeOptions& options = {}) const;
  /// Text of a whole token sequence, with the vocabulary's clean-up rules (leading space, spaces before
  /// punctuation). kInvalidArgument names an id out of range. The bytes need not be UTF-8.
  Result<std::string> decode(std::span<const Token> ids, const DecodeOptions& options = {}) const;

  /// The bytes that one token stands for (byte-level mapping undone, "▁" as a space); empty for an id out
  /// of range. Control tokens give their written form, such as "<s>".
  std::string_view piece(Token id) const;
  /// The entry as the file spells it.
  std::string_view raw_token(Token id) const;
  float score(Token id) const;
  TokenKind kind(Token id) const;
  bool is_control(Token id) const;
  /// True for ids that end generation: EOS, EOT and the model's other end markers.
  bool is_end(Token id) const;
  /// Id of an entry by its exact spelling in the file.
  std::optional<Token> find(std::string_view raw) const;

  int32_t n_vocab() const;
  /// Heap bytes of the tables that were built at load (shared by all copies).
  uint64_t memory_bytes() const;
  std::optional<Token> bos() const;
  std::optional<Token> eos() const;
  std::optional<Token> eot() const;
  std::optional<Token> sep() const;
  std::optional<Token> pad() const;
  std::optional<Token> unk() const;
  std::optional<Token> mask() const;
  bool add_bos() const;
  bool add_eos() const;
  /// What is odd about the vocabulary and was worked around, in one line; empty: nothing. Lives as long as any copy.
  std::string_view warning() const;
  /// "llama", "gpt2", "bert", "t5", ... and the pre-tokenizer's name ("llama-bpe"; empty where there is none).
  std::string_view model_name() const;
  std::string_view pre_name() const;

  struct Impl;

 private:
  friend class TokenDecoder;
  friend struct TokenizerInternals;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Turns a stream of tokens into text, holding back the bytes of a character that is not complete yet, so
/// that what push() returns is never half a UTF-8 character. Pieces are joined as they are: a continuation keeps its
/// leading space. A stream that begins with BOS (and skips special tokens) is a whole text, and loses the space that
/// encoding added. One per stream; not thread-safe.
class TokenDecoder {
 public:
  explicit TokenDecoder(const Tokenizer& tokenizer, const DecodeOptions& options = {});
  /// Text that became complete with this token; valid until the next call. Ids out of range give nothing. Where memory
  /// is out the token's text is left out, and lost_text() is true from then on.
  std::string_view push(Token id);
  /// What is still held back (an unfinished character becomes U+FFFD).
  std::string_view finish();
  bool lost_text() const { return lost_text_; }

 private:
  std::string_view add(Token id);
  Tokenizer tokenizer_;
  DecodeOptions options_;
  std::string pending_;
  std::string ready_;
  bool started_ = false;
  bool at_text_start_ = false;
  bool lost_text_ = false;
};

}  // namespace hearth
