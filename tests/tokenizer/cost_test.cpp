// Tokenizing is linear in the length of the text, or ended by a bound, whatever the vocabulary.
#include <gtest/gtest.h>

#include "support/cost.h"
#include "tokenizer/tiny_vocab.h"

namespace hearth::testing {
namespace {

constexpr size_t kLong = 200000;

void expect_linear_text(const char* name, const TinyVocab& vocab, const std::string& piece, bool special) {
  const TinyTokenizer tokenizer(vocab);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  expect_linear(name, 12000, [&](size_t n) {
    std::string text;
    while (text.size() < n) text += piece;
    return [&tokenizer, text, special] {
      const auto ids = tokenizer->encode(text, {.parse_special = special});
      EXPECT_TRUE(ids || ids.error().code == ErrorCode::kLimit) << ids.error().message;
    };
  });
}

TEST(TokenizerCost, LongTokensOfAUnigramVocabulary) {
  TinyVocab vocab = unigram_vocab();
  vocab.add(std::string(kLong, 'a'), 1, -1);
  vocab.add(std::string(kLong, 'a') + "b", 1, -1);
  expect_linear_text("one letter", vocab, "a", false);
  TinyVocab many = unigram_vocab();
  for (size_t n = 3; n < 400; ++n) many.add(std::string(n, 'a'), 1, -1.0f);
  expect_linear_text("many lengths", many, "a", false);
}

TEST(TokenizerCost, LongSpecialTokens) {
  for (TinyVocab vocab : {sentence_piece_vocab(), byte_pair_vocab(), unigram_vocab(), word_piece_vocab()}) {
    vocab.add(std::string(kLong, '<'), 3);
    vocab.add(std::string(kLong / 2, '<') + ">", 4);
    vocab.add("<<", 4);
    for (const char* piece : {"<", "<<>", "< "}) expect_linear_text(piece, vocab, piece, true);
    expect_linear_text("user-defined alone", vocab, "<", false);
  }
}

TEST(TokenizerCost, ClaimsThatFailAndAreTriedAgain) {
  TinyVocab vocab = sentence_piece_vocab();
  for (size_t n = 2; n < 300; ++n) vocab.add(std::string(n, '#'), 4);
  expect_linear_text("runs", vocab, "#", false);
  expect_linear_text("runs that end", vocab, std::string(299, '#') + " ", false);
}

TEST(TokenizerCost, NestedTokensOfASentencePieceVocabulary) {
  TinyVocab vocab = sentence_piece_vocab();
  const std::string longest = "a" + std::string(5000, 'b');
  for (size_t n = 2; n <= longest.size(); ++n) vocab.add(longest.substr(0, n), 1, -static_cast<float>(n));
  expect_linear_text("each token begins the next", vocab, longest, false);
  const TinyTokenizer nested(vocab);
  std::string text;
  for (int i = 0; i < 40; ++i) text += longest;
  const auto ids = nested->encode(text);
  ASSERT_FALSE(ids) << "a merge looks at all bytes before it";
  EXPECT_EQ(ids.error().code, ErrorCode::kLimit);
  TinyVocab real = sentence_piece_vocab();
  for (size_t n = 2; n <= 96; ++n) real.add(std::string(n, 'a'), 1, -static_cast<float>(n));
  const TinyTokenizer tokenizer(real);
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_TRUE(tokenizer->encode(std::string(300000, 'a'))) << "tokens as long as real ones";
}

TEST(TokenizerCost, RealRunsStayBelowTheBound) {
  TinyVocab vocab = unigram_vocab();
  for (size_t n = 2; n <= 64; ++n) vocab.add(std::string(n, '='), n % 2 == 0 ? 4 : 1, -1.0f);
  const TinyTokenizer tokenizer(vocab);
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_TRUE(tokenizer->encode(std::string(300000, '=')));
}

}  // namespace
}  // namespace hearth::testing
