// Vocabulary: the tokens of a tokenizer by their bytes, as tries whose nodes stand in the order of a walk, with what is
// known beforehand of tokens inside JSON strings. Made once per tokenizer and kept with it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "hearth/tokenizer.h"

namespace hearth::grammar {

/// One bit per token id; (n_vocab + 63) / 64 words.
using Bits = std::vector<uint64_t>;
inline void set_bit(std::span<uint64_t> bits, Token id) {
  bits[static_cast<size_t>(id) >> 6] |= uint64_t{1} << (id & 63);
}
inline bool has_bit(std::span<const uint64_t> bits, Token id) {
  return bits[static_cast<size_t>(id) >> 6] >> (id & 63) & 1;
}

struct TrieNode {
  uint32_t end;    ///< the node after the last one below this
  uint32_t first;  ///< entries[first, ...) of the trie are the tokens that end here
  uint32_t n_entries;
  uint16_t depth;  ///< bytes from the root to here, this one included
  uint8_t byte;
};

struct TrieEntry {
  Token id;
  int32_t n_characters;  ///< in the trie of endings: characters before the quote
};

/// nodes[0] is the root.
struct Trie {
  std::vector<TrieNode> nodes;
  std::vector<TrieEntry> entries;
  uint32_t depth = 0;  ///< of the deepest node
};

class Vocabulary {
 public:
  /// The vocabulary of a tokenizer; the first call for it takes some tens of milliseconds. Safe from any thread.
  static std::shared_ptr<const Vocabulary> of(const Tokenizer& tokenizer);

  explicit Vocabulary(const Tokenizer& tokenizer);

  int32_t n_vocab = 0;
  size_t n_words = 0;
  std::vector<bool> is_text;  ///< by id: it stands for its bytes (no control tokens, none without bytes)
  std::vector<Token> ends;    ///< Tokenizer::is_end

  Trie all;
  // Inside a JSON string: tokens of characters only, those whose escapes are all needed, and the trie of all others.
  Bits plain;
  Trie not_plain;
  /// Tokens of at most n characters, any escapes: within[n] for n < kWithin, then the rest one by one.
  static constexpr int32_t kWithin = 33;
  std::vector<Bits> within;
  std::vector<TrieEntry> longer;  ///< ascending by n_characters, which is kWithin or more
  Bits inside;                    ///< all of them
  int32_t max_characters = 0;     ///< of one token
  Trie endings;                   ///< tokens that close the string, by the bytes after the quote

 private:
  struct Item {
    std::string_view bytes;
    TrieEntry entry;
  };
  void classify(const std::vector<Item>& items);
};

}  // namespace hearth::grammar
