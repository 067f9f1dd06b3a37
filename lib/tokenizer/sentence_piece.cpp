// SentencePiece BPE: characters merge into the pieces with the highest score; what is no piece falls back to bytes.
#include <array>
#include <string>

#include "lib/tokenizer/merge_queue.h"
#include "lib/tokenizer/space_mark.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/tokenizer/walk_budget.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

constexpr uint32_t kNoToken = 0xFFFFFFFF;

/// Two neighbors merge when their text together is a token. Looking that up costs the bytes of both: a vocabulary that
/// holds every beginning of a long token would make that the square of the text's length.
struct ScoreRule {
  using Priority = float;
  const Vocab& vocab;
  std::string_view text;
  WalkBudget& budget;

  bool find(const MergeSymbol& left, const MergeSymbol& right, float& priority, uint32_t& merged) const {
    const size_t size = size_t{left.size} + right.size;
    if (size > vocab.longest_raw || !budget.spend(size)) return false;
    const Token id = vocab.by_raw.find(text.substr(left.begin, size));
    if (id < 0) return false;
    priority = -vocab.score(id);
    merged = static_cast<uint32_t>(id);
    return true;
  }
};

class SentencePieceEncoder final : public TextEncoder {
 public:
  explicit SentencePieceEncoder(const Vocab& vocab) : vocab_(vocab) {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (size_t b = 0; b < 256; ++b) {
      const std::string spelled = {'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'};
      Token id = vocab.by_raw.find(spelled);
      if (id < 0) id = vocab.by_raw.find(std::string(1, static_cast<char>(b)));
      byte_tokens_[b] = id >= 0 ? id : vocab.special_id(SpecialId::kUnk);
    }
    for (const std::string_view raw : vocab.raw) cuts_.learn(raw);
  }

  Status encode(std::string_view text, bool after_special, WordCache& cache, TokenSink& out) const override {
    std::string marked;
    if (vocab_.add_space_prefix && after_special) marked += kSpaceMark;
    append_with_marks(marked, text);
    if (marked.size() > kMaxMarkedText)
      return Error{ErrorCode::kLimit, "text: longer than 4 GiB with its spaces written as marks"};
    // a broken character takes the bytes that it announces, those of a mark included
    const bool by_words = utf8::is_clean(marked);
    std::vector<MergeSymbol> symbols;
    std::vector<Token> tokens;
    WalkBudget budget(marked);
    for (size_t begin = 0; begin < marked.size();) {
      const size_t end = by_words ? cuts_.next(marked, begin) : marked.size();
      const std::string_view word = std::string_view(marked).substr(begin, end - begin);
      begin = end;
      const StringKey key(word);
      if (cache.emit(word, key, out)) continue;
      tokens.clear();
      encode_word(word, budget, symbols, tokens);
      if (budget.is_spent()) return WalkBudget::error();
      cache.add(word, key, tokens.data(), tokens.size());
      out.push(tokens.data(), tokens.size());
    }
    return {};
  }

  uint64_t memory_bytes() const override { return sizeof(*this); }

 private:
  void encode_word(std::string_view word, WalkBudget& budget, std::vector<MergeSymbol>& symbols,
                   std::vector<Token>& tokens) const {
    symbols.clear();
    for (size_t i = 0; i < word.size();) {
      const size_t size = std::min<size_t>(utf8::announced_length(static_cast<uint8_t>(word[i])), word.size() - i);
      symbols.push_back({kNoToken, static_cast<uint32_t>(i), static_cast<uint32_t>(size)});
      i += size;
    }
    const ScoreRule rule{vocab_, word, budget};
    MergeQueue<ScoreRule>(rule).merge(symbols);
    for (const MergeSymbol& symbol : symbols) {
      const std::string_view text = word.substr(symbol.begin, symbol.size);
      const Token id = symbol.id != kNoToken ? static_cast<Token>(symbol.id) : vocab_.by_raw.find(text);
      if (id >= 0) {
        tokens.push_back(id);
        continue;
      }
      for (const char c : text) {
        const Token byte = byte_tokens_[static_cast<uint8_t>(c)];
        if (byte >= 0) tokens.push_back(byte);
      }
    }
  }

  const Vocab& vocab_;
  std::array<Token, 256> byte_tokens_{};
  WordCuts cuts_;
};

}  // namespace

Result<std::unique_ptr<TextEncoder>> make_sentence_piece_encoder(const Vocab& vocab) {
  return std::unique_ptr<TextEncoder>(std::make_unique<SentencePieceEncoder>(vocab));
}

}  // namespace hearth
