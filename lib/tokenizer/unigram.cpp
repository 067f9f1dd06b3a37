// Unigram (T5, XLM-R): normalize, then the segmentation with the highest sum of scores (Kudo, "Subword
// Regularization", 2018, section 3.2, by Viterbi's algorithm).
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "lib/base/concat.h"
#include "lib/tokenizer/byte_trie.h"
#include "lib/tokenizer/char_map.h"
#include "lib/tokenizer/text_encoder.h"
#include "lib/tokenizer/walk_budget.h"
#include "lib/unicode/utf8.h"

namespace hearth {
namespace {

constexpr float kUnknownPenalty = 10.0f;  // below the worst score
constexpr size_t kMaxGrowth = 32;         // bytes of normalized text per byte of text; real maps need 11

class UnigramEncoder final : public TextEncoder {
 public:
  UnigramEncoder(const Vocab& vocab, CharMap map) : vocab_(vocab), map_(map) {
    float worst = std::numeric_limits<float>::max();
    std::vector<ByteTrie::Entry> entries, user_defined;
    for (Token id = 0; id < vocab.size(); ++id) {
      const std::string_view raw = vocab.raw[static_cast<size_t>(id)];
      if (vocab.has(id, kAttrNormal)) worst = std::min(worst, vocab.score(id));
      if (vocab.has(id, kAttrNormal | kAttrUserDefined | kAttrUnused)) entries.push_back({raw, id});
      if (vocab.has(id, kAttrUserDefined)) user_defined.push_back({raw, id});
    }
    unknown_score_ = worst - kUnknownPenalty;
    trie_ = ByteTrie(std::move(entries));
    user_defined_ = ByteTrie(std::move(user_defined));
  }

  Status encode(std::string_view text, bool, WordCache&, TokenSink& out) const override {
    std::string normal;
    if (!normalize(text, normal)) {
      return Error{ErrorCode::kLimit, "tokenizer.ggml.precompiled_charsmap: the text grows too much"};
    }
    return normal.empty() ? Status{} : segment(normal, out);
  }

  uint64_t memory_bytes() const override { return trie_.memory_bytes() + user_defined_.memory_bytes(); }

 private:
  /// Best segmentation that ends at a position.
  struct Best {
    double score = -std::numeric_limits<double>::max();
    Token token = -1;
    uint32_t begin = 0;  ///< of its last token
  };

  static void offer(Best& best, double score, Token token, size_t begin) {
    if (score > best.score) best = {score, token, static_cast<uint32_t>(begin)};
  }

  /// What the text at `rest` becomes, and how many bytes of it that takes. The begin of a user-defined token stays.
  CharMap::Match normal_form(std::string_view rest) const {
    size_t n = 0;
    for (uint32_t node = user_defined_.root(); n < rest.size(); ++n) {
      node = user_defined_.child(node, rest[n]);
      if (node == ByteTrie::kNone) break;
    }
    if (n > 0) return {n, rest.substr(0, n)};
    const CharMap::Match match = map_.longest(rest);
    if (match.n_bytes > 0) return match;
    const utf8::CodePoint c = utf8::decode(rest.data(), rest.data() + rest.size());
    const bool broken = c.n_bytes == 1 && c.value == utf8::kReplacement;
    return {c.n_bytes, broken ? std::string_view("\xEF\xBF\xBD") : rest.substr(0, c.n_bytes)};
  }

  bool normalize(std::string_view text, std::string& out) const {
    const std::string_view space = vocab_.escape_spaces ? kSpaceMark : std::string_view(" ");
    const size_t limit = kMaxGrowth * text.size() + 1024;
    bool prefixed = false, in_word = false;
    for (size_t i = 0; i < text.size();) {
      const CharMap::Match form = normal_form(text.substr(i));
      i += form.n_bytes;
      for (const char c : form.replacement) {
        if (c == ' ') {
          in_word = false;
          if (!vocab_.remove_extra_spaces) out += space;
          continue;
        }
        if (!in_word && ((vocab_.add_space_prefix && !prefixed) || vocab_.remove_extra_spaces)) {
          out += space;
          prefixed = true;
        }
        in_word = true;
        out += c;
      }
      if (out.size() > limit) return false;
    }
    return true;
  }

  Status segment(const std::string& text, TokenSink& out) const {
    if (text.size() > UINT32_MAX) return Error{ErrorCode::kLimit, "text: longer than 4 GiB when normalized"};
    const Token unknown = vocab_.special_id(SpecialId::kUnk);
    std::vector<Best> best(text.size() + 1);  // by position
    best[0].score = 0;
    WalkBudget budget(text);
    for (size_t begin = 0; begin < text.size();) {
      const size_t announced = utf8::announced_length(static_cast<uint8_t>(text[begin]));
      const size_t next = begin + std::min(announced, text.size() - begin);
      const double score = best[begin].score;
      bool covered = false;  // the character alone is a token
      uint32_t node = trie_.root();
      size_t end = begin + 1;
      for (; end <= text.size(); ++end) {
        node = trie_.child(node, text[end - 1]);
        if (node == ByteTrie::kNone) break;
        const Token id = trie_.value(node);
        if (id < 0) continue;
        covered = covered || end == next;
        offer(best[end], score + (vocab_.has(id, kAttrUserDefined) ? 0.0 : vocab_.score(id)), id, begin);
      }
      if (!budget.spend(end - begin)) return WalkBudget::error();
      if (!covered) offer(best[next], score + unknown_score_, unknown, begin);
      begin = next;
    }
    // Neighboring unknown tokens become one.
    std::vector<Token> tokens;
    bool after_unknown = false;
    for (size_t end = text.size(); end > 0; end = best[end].begin) {
      const bool is_unknown = best[end].token == unknown;
      if (!(is_unknown && after_unknown) && best[end].token >= 0) tokens.push_back(best[end].token);
      after_unknown = is_unknown;
    }
    std::reverse(tokens.begin(), tokens.end());
    out.push(tokens.data(), tokens.size());
    return {};
  }

  const Vocab& vocab_;
  CharMap map_;
  ByteTrie trie_;
  ByteTrie user_defined_;
  float unknown_score_ = 0;
};

}  // namespace

Result<std::unique_ptr<TextEncoder>> make_unigram_encoder(const GgufFile& file, const Vocab& vocab) {
  constexpr std::string_view kCharsmapKey = "tokenizer.ggml.precompiled_charsmap";
  std::span<const std::byte> bytes;
  if (const GgufValue* value = file.find(kCharsmapKey)) {
    const bool is_bytes = value->type() == GgufType::kArray &&
                          (value->element_type() == GgufType::kUint8 || value->element_type() == GgufType::kInt8);
    if (!is_bytes) return Error{ErrorCode::kFormat, concat(kCharsmapKey, ": not an array of bytes")};
    bytes = value->bytes();
  }
  const Result<CharMap> map = CharMap::create(bytes);
  if (!map) return map.error();
  return std::unique_ptr<TextEncoder>(std::make_unique<UnigramEncoder>(vocab, *map));
}

}  // namespace hearth
