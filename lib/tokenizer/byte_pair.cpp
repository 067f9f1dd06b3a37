// Byte-pair vocabularies: words of the pre-tokenizer, in which pairs merge in the order of the merge list. Symbols
// begin as bytes (written as letters in the file), or as characters where the vocabulary has plain text.
#include <array>
#include <string>

#include "lib/tokenizer/byte_letters.h"
#include "lib/tokenizer/merge_list.h"
#include "lib/tokenizer/merge_queue.h"
#include "lib/tokenizer/pre_splitter.h"
#include "lib/tokenizer/space_mark.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/unicode/normalize.h"
#include "lib/unicode/properties.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

struct RankRule {
  using Priority = uint32_t;
  const PairTable& pairs;

  bool find(const MergeSymbol& left, const MergeSymbol& right, uint32_t& rank, uint32_t& merged) const {
    const PairTable::Merge merge = pairs.find(left.id, right.id);
    rank = merge.rank;
    merged = merge.symbol;
    return rank != PairTable::kNoRank;
  }
};

std::string letter_text(size_t byte) {
  std::string text;
  utf8::append(text, kLetterOfByte[byte]);
  return text;
}

class BytePairEncoder final : public TextEncoder {
 public:
  BytePairEncoder(const Vocab& vocab, MergeList merges, PreSplitter splitter)
      : vocab_(vocab), merges_(std::move(merges)), splitter_(std::move(splitter)), rule_{merges_.pairs()} {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (size_t b = 0; b < 256; ++b) {
      const std::string byte(1, static_cast<char>(b));
      first_symbols_[b] = merges_.symbol(vocab, plain() ? byte : letter_text(b));
      const std::string spelled = {'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'};
      fallback_[b] = vocab.by_raw.find(plain() ? spelled : byte);
    }
    if (flag(PreRule::kWholeWordFirst)) index_words();
  }

  Status encode(std::string_view text, bool, WordCache& cache, TokenSink& out) const override {
    std::string copy;
    if (vocab_.escape_spaces) {
      append_with_marks(copy, text);
      text = copy;
    }
    if (!utf8::is_clean(text)) {
      copy = utf8::cleaned(text);  // which has no normal form
      text = copy;
    } else if (flag(PreRule::kNfc) && !unicode::is_surely_nfc(text)) {
      copy = unicode::nfc(text);
      text = copy;
    }
    if (text.size() > kMaxMarkedText)
      return Error{ErrorCode::kLimit, "text: longer than 4 GiB when repaired and written as the vocabulary has it"};
    Run run(*this, cache, out);
    if (vocab_.drop_spaces) {
      split_at_spaces(text, run);
    } else {
      splitter_.split(text, run);
    }
    return {};
  }

  uint64_t memory_bytes() const override {
    uint64_t bytes = merges_.memory_bytes() + splitter_.memory_bytes() + words_.memory_bytes();
    for (const std::string& text : word_texts_) bytes += sizeof(text) + heap_bytes(text);
    return bytes;
  }

 private:
  bool flag(PreRule::Flag which) const { return (vocab_.pre->flags & which) != 0; }
  bool plain() const { return flag(PreRule::kPlainBytes); }

  void split_at_spaces(std::string_view text, WordSink& sink) const {
    std::string word;
    for (size_t i = 0; i < text.size();) {
      const utf8::CodePoint c = utf8::decode_clean(text.data() + i);
      i += c.n_bytes;
      const bool space = unicode::category(c.value) == unicode::CharCategory::kSpace;
      if (!space) utf8::append(word, vocab_.lowercase ? unicode::simple_lower(c.value) : c.value);
      if (!space && i < text.size()) continue;
      splitter_.split(word, sink);
      word.clear();
    }
  }

  /// Tokens by the bytes that they stand for.
  void index_words() {
    words_.reserve(vocab_.raw.size());
    std::string bytes;
    for (size_t i = 0; i < vocab_.raw.size(); ++i) {
      if (!to_bytes(vocab_.raw[i], bytes)) continue;
      const std::string_view piece = vocab_.pieces[i];
      if (i + 16 < vocab_.raw.size()) words_.prefetch(StringKey(vocab_.pieces[i + 16]));
      if (words_.find(bytes) >= 0) continue;
      words_.insert(piece == bytes ? piece : word_texts_.emplace_back(bytes), static_cast<int32_t>(i));
    }
  }

  static bool to_bytes(std::string_view raw, std::string& bytes) {
    bytes.clear();
    for (size_t i = 0; i < raw.size();) {
      const utf8::CodePoint c = utf8::decode(raw.data() + i, raw.data() + raw.size());
      const int byte = byte_of_letter(c.value);
      if (byte < 0) return false;
      bytes += static_cast<char>(byte);
      i += c.n_bytes;
    }
    return true;
  }

  /// The words of one text.
  class Run final : public WordSink {
   public:
    Run(const BytePairEncoder& encoder, WordCache& cache, TokenSink& out)
        : encoder_(encoder), queue_(encoder.rule_), cache_(cache), out_(out) {}

    void word(std::string_view text) override {
      if (encoder_.flag(PreRule::kNewlineRuns) && text.find_first_not_of('\n') == std::string_view::npos) {
        const Token id = encoder_.vocab_.by_raw.find(text);
        if (id >= 0) return out_.push(id);
      }
      if (!encoder_.vocab_.escape_spaces) return part(text);
      for (size_t begin = 0; begin < text.size();) {
        const size_t end = encoder_.merges_.cuts().next(text, begin);
        part(text.substr(begin, end - begin));
        begin = end;
      }
    }

   private:
    void part(std::string_view text) {
      const StringKey key(text);
      if (cache_.emit(text, key, out_)) return;
      tokens_.clear();
      const Token whole = encoder_.words_.find(text, key);
      if (whole >= 0) {
        tokens_.push_back(whole);
      } else {
        encoder_.start(text, symbols_);
        queue_.merge(symbols_);
        encoder_.finish(text, symbols_, tokens_);
      }
      cache_.add(text, key, tokens_.data(), tokens_.size());
      out_.push(tokens_.data(), tokens_.size());
    }

    const BytePairEncoder& encoder_;
    MergeQueue<RankRule> queue_;
    WordCache& cache_;
    TokenSink& out_;
    std::vector<MergeSymbol> symbols_;
    std::vector<Token> tokens_;
  };

  void start(std::string_view word, std::vector<MergeSymbol>& symbols) const {
    symbols.clear();
    for (uint32_t i = 0; i < word.size();) {
      const auto byte = static_cast<uint8_t>(word[i]);
      const uint32_t size = plain() ? utf8::announced_length(byte) : 1;
      const uint32_t id = size == 1 ? first_symbols_[byte] : merges_.symbol(vocab_, word.substr(i, size));
      symbols.push_back({id, i, size});
      i += size;
    }
  }

  /// What is not a token is written in bytes, as far as the vocabulary has tokens for these.
  void finish(std::string_view word, const std::vector<MergeSymbol>& symbols, std::vector<Token>& tokens) const {
    for (const MergeSymbol& symbol : symbols) {
      if (symbol.id < vocab_.raw.size()) {
        tokens.push_back(static_cast<Token>(symbol.id));
        continue;
      }
      for (const char c : word.substr(symbol.begin, symbol.size)) {
        const std::string written = plain() ? std::string(1, c) : letter_text(static_cast<uint8_t>(c));
        for (const char w : written) {
          const Token id = fallback_[static_cast<uint8_t>(w)];
          if (id >= 0) tokens.push_back(id);
        }
      }
    }
  }

  const Vocab& vocab_;
  MergeList merges_;
  PreSplitter splitter_;
  RankRule rule_;
  std::array<uint32_t, 256> first_symbols_{};
  std::array<Token, 256> fallback_{};  // -1: none
  StringTable words_;
  std::deque<std::string> word_texts_;
};

}  // namespace

Result<std::unique_ptr<TextEncoder>> make_byte_pair_encoder(const GgufFile& file, const Vocab& vocab) {
  Result<PreSplitter> splitter = PreSplitter::create(*vocab.pre);
  if (!splitter) return splitter.error();
  Result<MergeList> merges = MergeList::read(file, vocab);
  if (!merges) return merges.error();
  return std::unique_ptr<TextEncoder>(
      std::make_unique<BytePairEncoder>(vocab, std::move(*merges), std::move(*splitter)));
}

}  // namespace hearth
