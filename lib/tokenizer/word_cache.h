// WordCache: tokens of the words seen lately; a fixed-size, direct-mapped table that serves one call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "hearth/tokenizer.h"
#include "lib/tokenizer/string_table.h"
#include "lib/tokenizer/token_sink.h"

namespace hearth {

class WordCache {
 public:
  /// Sized for a text of `text_bytes`.
  explicit WordCache(size_t text_bytes) {
    size_t n = kMinEntries;
    while (n < kMaxEntries && n * 16 < text_bytes) n *= 2;
    entries_.resize(n);
  }

  /// True when the word is known: its tokens went to `out`.
  bool emit(std::string_view word, const StringKey& key, TokenSink& out) const {
    const Entry& entry = entries_[index(key)];
    if (entry.hash != key.hash || entry.size != word.size() || std::memcmp(entry.word, word.data(), word.size()) != 0) {
      return false;
    }
    out.push(entry.tokens, entry.n_tokens);
    return true;
  }

  /// Remembers a word unless it is too long or has too many tokens.
  void add(std::string_view word, const StringKey& key, const Token* tokens, size_t n) {
    if (word.empty() || word.size() > kMaxWord || n > kMaxTokens) return;
    Entry& entry = entries_[index(key)];
    entry.hash = key.hash;
    entry.size = static_cast<uint8_t>(word.size());
    entry.n_tokens = static_cast<uint8_t>(n);
    std::memcpy(entry.word, word.data(), word.size());
    std::copy_n(tokens, n, entry.tokens);
  }

 private:
  static constexpr size_t kMinEntries = 64, kMaxEntries = 4096;
  static constexpr size_t kMaxWord = 22, kMaxTokens = 8;
  struct Entry {  // one cache line
    uint64_t hash;
    uint8_t size;  // 0: free
    uint8_t n_tokens;
    char word[kMaxWord];
    Token tokens[kMaxTokens];
  };
  static_assert(sizeof(Entry) == 64);
  size_t index(const StringKey& key) const { return static_cast<size_t>(key.hash >> 20) & (entries_.size() - 1); }

  std::vector<Entry> entries_;
};

}  // namespace hearth
