// MergeList: tokenizer.ggml.merges over symbols. Symbols are token ids; strings that merges name but the
// vocabulary lacks get ids above these.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "lib/base/heap_bytes.h"
#include "lib/tokenizer/pair_table.h"
#include "lib/tokenizer/space_mark.h"
#include "lib/tokenizer/vocab.h"

namespace hearth {

inline constexpr uint32_t kNoSymbol = 0xFFFFFFFF;

class MergeList {
 public:
  /// Reads the merges of `file`; views into it are kept.
  static Result<MergeList> read(const GgufFile& file, const Vocab& vocab);

  /// Symbol spelled `raw` as the file spells tokens, or kNoSymbol.
  uint32_t symbol(const Vocab& vocab, std::string_view raw) const {
    const Token id = vocab.by_raw.find(raw);
    return static_cast<uint32_t>(id >= 0 ? id : extra_.find(raw));
  }
  const PairTable& pairs() const { return pairs_; }
  const WordCuts& cuts() const { return cuts_; }
  uint64_t memory_bytes() const {
    uint64_t bytes = pairs_.memory_bytes() + extra_.memory_bytes();
    for (const std::string& text : extra_texts_) bytes += sizeof(text) + heap_bytes(text);
    return bytes;
  }

 private:
  struct Split {
    std::string_view left, right;
    size_t rank = 0;  // place in the file
    uint32_t left_symbol = 0, right_symbol = 0, joined = 0;
  };
  void split_block(const Vocab& vocab, std::span<const std::string_view> merges, size_t first,
                   std::vector<Split>& block) const;
  void add_block(const Vocab& vocab, std::vector<Split>& block);
  uint32_t symbol_or_new(const Vocab& vocab, std::string_view raw);
  uint32_t joined(const Vocab& vocab, std::string_view left, std::string_view right, uint32_t last);

  PairTable pairs_;
  StringTable extra_;
  std::deque<std::string> extra_texts_;
  int64_t next_extra_ = 0;
  uint32_t last_ = 0;  // result of the last merge
  WordCuts cuts_;      // of vocabularies that write spaces as marks
};

}  // namespace hearth
