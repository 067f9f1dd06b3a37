// WordPiece (BERT): normalise, split at blanks and punctuation, then the longest entries from the left.
#include <string>

#include "lib/tokenizer/byte_trie.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/tokenizer/unicode.h"
#include "lib/tokenizer/utf8.h"

namespace hearth {
namespace {

using unicode::CharCategory;

/// CJK ideographs are words of their own (the ranges of BERT's reference tokenizer).
bool is_ideograph(uint32_t c) {
  constexpr struct {
    uint32_t first, last;
  } kRanges[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
                 {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  for (const auto& range : kRanges) {
    if (range.first <= c && c <= range.last) return true;
  }
  return false;
}

class WordPieceEncoder final : public TextEncoder {
 public:
  explicit WordPieceEncoder(const Vocab& vocab) : vocab_(vocab) {
    std::vector<ByteTrie::Entry> entries;
    for (Token id = 0; id < vocab.size(); ++id) entries.push_back({vocab.raw[static_cast<size_t>(id)], id});
    trie_ = ByteTrie(std::move(entries));
  }

  Status encode(std::string_view text, bool, WordCache& cache, TokenSink& out) const override {
    std::string word(kSpaceMark);  // entries that begin a word begin with the mark
    std::vector<Token> tokens;
    const auto finish = [&] {
      if (word.size() > kSpaceMark.size()) encode_word(word, cache, tokens, out);
      word.assign(kSpaceMark);
    };
    const char* end = text.data() + text.size();
    for (const char* p = text.data(); p < end;) {
      const utf8::CodePoint decoded = utf8::decode(p, end);
      p += decoded.n_bytes;
      const uint32_t c = vocab_.strip_accents ? unicode::base_letter(decoded.value) : decoded.value;
      const CharCategory category = unicode::category(c);
      if (category == CharCategory::kSpace) {
        finish();
        continue;
      }
      const bool accent = vocab_.strip_accents && category == CharCategory::kMark;
      if (c == 0 || c == utf8::kReplacement || category == CharCategory::kControl || accent) continue;
      const bool alone =
          category == CharCategory::kPunctuation || (c < 0x7F && category == CharCategory::kSymbol) || is_ideograph(c);
      if (alone) finish();
      utf8::append(word, vocab_.lowercase ? unicode::lower(c) : c);
      if (alone) finish();
    }
    finish();
    return {};
  }

  uint64_t memory_bytes() const override { return trie_.memory_bytes(); }

 private:
  /// A word that entries cannot cover is unknown as a whole.
  void encode_word(std::string_view word, WordCache& cache, std::vector<Token>& tokens, TokenSink& out) const {
    const StringKey key(word);
    if (cache.emit(word, key, out)) return;
    tokens.clear();
    for (size_t begin = 0; begin < word.size();) {
      Token found = -1;
      size_t found_end = begin;
      uint32_t node = trie_.root();
      for (size_t i = begin; i < word.size(); ++i) {
        node = trie_.child(node, word[i]);
        if (node == ByteTrie::kNone) break;
        if (trie_.value(node) < 0) continue;
        found = trie_.value(node);
        found_end = i + 1;
      }
      if (found < 0) {
        tokens.clear();
        break;
      }
      tokens.push_back(found);
      begin = found_end;
    }
    if (tokens.empty() && vocab_.special_id(SpecialId::kUnk) >= 0) tokens.push_back(vocab_.special_id(SpecialId::kUnk));
    cache.add(word, key, tokens.data(), tokens.size());
    out.push(tokens.data(), tokens.size());
  }

  const Vocab& vocab_;
  ByteTrie trie_;
};

}  // namespace

Result<std::unique_ptr<TextEncoder>> make_word_piece_encoder(const Vocab& vocab) {
  return std::unique_ptr<TextEncoder>(std::make_unique<WordPieceEncoder>(vocab));
}

}  // namespace hearth
