// WordPiece (BERT): normalize, split at blanks and punctuation, then the longest entries from the left. Steps and their
// order are those of BERT's own tokenizer: control characters go, ideographs become words of their own, accents are
// taken off (NFD, and marks of category Mn go), letters become lower case. That tokenizer takes UTF-8 only; in other
// text, white-space controls part words, as in llama.cpp.
#include <string>

#include "lib/tokenizer/byte_trie.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/unicode/normalize.h"
#include "lib/unicode/properties.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

using unicode::CharCategory;
using unicode::GeneralCategory;

constexpr size_t kMaxWordCharacters = 100;  // longer words are unknown

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

/// White space parts words, but for the controls that are neither tab nor end of line: in UTF-8 these go as others do.
bool is_blank(uint32_t c, bool is_utf8) {
  if (c == '\t' || c == '\n' || c == '\r') return true;
  if (!is_utf8) return unicode::category(c) == CharCategory::kSpace;
  return unicode::category(c) == CharCategory::kSpace && unicode::general_category(c) != GeneralCategory::kCc;
}

bool is_dropped(uint32_t c) {
  if (c == 0 || c == utf8::kReplacement) return true;
  const CharCategory category = unicode::category(c);
  return category == CharCategory::kControl || unicode::general_category(c) == GeneralCategory::kCc;
}

bool is_punctuation(uint32_t c) {
  const CharCategory category = unicode::category(c);
  return category == CharCategory::kPunctuation || (c < 0x7F && category == CharCategory::kSymbol);
}

class WordPieceEncoder final : public TextEncoder {
 public:
  explicit WordPieceEncoder(const Vocab& vocab) : vocab_(vocab) {
    std::vector<ByteTrie::Entry> entries;
    for (Token id = 0; id < vocab.size(); ++id) entries.push_back({vocab.raw[static_cast<size_t>(id)], id});
    trie_ = ByteTrie(std::move(entries));
  }

  Status encode(std::string_view text, bool, WordCache& cache, TokenSink& out) const override {
    Run run(*this, cache, out);
    unicode::Decomposer decomposer;
    const auto letter = [&run](uint32_t c) { run.letter(c); };
    const auto part_words = [&] {
      decomposer.finish(letter);
      run.end_word();
    };
    const bool is_utf8 = utf8::is_clean(text);
    const char* end = text.data() + text.size();
    for (const char* p = text.data(); p < end;) {
      const utf8::CodePoint c = utf8::decode(p, end);
      p += c.n_bytes;
      if (is_blank(c.value, is_utf8)) {
        part_words();
        continue;
      }
      if (is_dropped(c.value)) continue;
      const bool alone = is_ideograph(c.value);
      if (alone) part_words();
      if (vocab_.strip_accents) {
        decomposer.push(c.value, letter);
      } else {
        letter(c.value);
      }
      if (alone) part_words();
    }
    part_words();
    return {};
  }

  uint64_t memory_bytes() const override { return trie_.memory_bytes(); }

 private:
  /// The words of one text.
  class Run {
   public:
    Run(const WordPieceEncoder& encoder, WordCache& cache, TokenSink& out)
        : encoder_(encoder), cache_(cache), out_(out), word_(kSpaceMark) {}

    /// A character after NFD.
    void letter(uint32_t c) {
      const Vocab& vocab = encoder_.vocab_;
      if (vocab.strip_accents && unicode::general_category(c) == GeneralCategory::kMn) return;
      const bool alone = is_punctuation(c);
      if (alone) end_word();
      if (vocab.lowercase) {
        for (const uint32_t low : unicode::to_lower(c).codes) {
          if (low != 0) add(low);
        }
      } else {
        add(c);
      }
      if (alone) end_word();
    }

    void end_word() {
      if (n_characters_ > 0) encoder_.encode_word(word_, n_characters_, cache_, tokens_, out_);
      word_.assign(kSpaceMark);
      n_characters_ = 0;
    }

   private:
    void add(uint32_t c) {
      if (++n_characters_ <= kMaxWordCharacters) utf8::append(word_, c);
    }

    const WordPieceEncoder& encoder_;
    WordCache& cache_;
    TokenSink& out_;
    std::string word_;         // with the mark with which entries that begin a word begin
    size_t n_characters_ = 0;  // of the word; `word_` ends at kMaxWordCharacters
    std::vector<Token> tokens_;
  };

  /// A word that entries cannot cover is unknown as a whole.
  void encode_word(std::string_view word, size_t n_characters, WordCache& cache, std::vector<Token>& tokens,
                   TokenSink& out) const {
    const Token unknown = vocab_.special_id(SpecialId::kUnk);
    if (n_characters > kMaxWordCharacters) {
      if (unknown >= 0) out.push(unknown);
      return;
    }
    const StringKey key(word);
    if (cache.emit(word, key, out)) return;
    tokens.clear();
    if (!cover(word, tokens)) tokens.assign(unknown >= 0 ? 1 : 0, unknown);
    cache.add(word, key, tokens.data(), tokens.size());
    out.push(tokens.data(), tokens.size());
  }

  /// The longest entry at each place; false when there is none. After the first, a mark is a letter of the text, and
  /// entries that begin a word do not fit.
  bool cover(std::string_view word, std::vector<Token>& tokens) const {
    for (size_t begin = 0; begin < word.size();) {
      if (begin > 0 && word.substr(begin).starts_with(kSpaceMark)) return false;
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
      if (found < 0) return false;
      tokens.push_back(found);
      begin = found_end;
    }
    return true;
  }

  const Vocab& vocab_;
  ByteTrie trie_;
};

}  // namespace

Result<std::unique_ptr<TextEncoder>> make_word_piece_encoder(const Vocab& vocab) {
  return std::unique_ptr<TextEncoder>(std::make_unique<WordPieceEncoder>(vocab));
}

}  // namespace hearth
