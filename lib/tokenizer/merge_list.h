// MergeList: tokenizer.ggml.merges over symbols. Symbols are token ids; strings that merges name but the
// vocabulary lacks get ids above these.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "hearth/gguf.h"
#include "lib/tokenizer/pair_table.h"
#include "lib/tokenizer/vocab.h"

namespace hearth {

inline constexpr uint32_t kNoSymbol = 0xFFFFFFFF;

class MergeList {
 public:
  /// Reads the merges of `file`; views into it are kept.
  static Result<MergeList> read(const GgufFile& file, const Vocab& vocab);

  /// Symbol spelt `raw` as the file spells tokens, or kNoSymbol.
  uint32_t symbol(const Vocab& vocab, std::string_view raw) const {
    const Token id = vocab.by_raw.find(raw);
    return static_cast<uint32_t>(id >= 0 ? id : extra_.find(raw));
  }
  const PairTable& pairs() const { return pairs_; }
  /// True when no merge joins a word to the "▁" of the next one.
  bool words_are_apart() const { return words_are_apart_; }

 private:
  uint32_t symbol_or_new(const Vocab& vocab, std::string_view raw);
  uint32_t joined(const Vocab& vocab, std::string_view left, std::string_view right, uint32_t guess);

  PairTable pairs_;
  StringTable extra_;
  std::deque<std::string> extra_texts_;
  int64_t next_extra_ = 0;
  bool words_are_apart_ = true;
};

}  // namespace hearth
