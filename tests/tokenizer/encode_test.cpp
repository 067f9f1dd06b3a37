// Encoding and decoding with small vocabularies whose tokens can be worked out by hand.
#include <gtest/gtest.h>

#include "tiny_vocab.h"

namespace hearth {
namespace {

using namespace hearth::testing;

/// Tokens by their spelling in the file, joined by '|'.
std::string spelled(const Tokenizer& tokenizer, std::string_view text, const EncodeOptions& options = {}) {
  const auto ids = tokenizer.encode(text, options);
  if (!ids) return "error: " + ids.error().message;
  std::string out;
  for (const Token id : *ids) out += (out.empty() ? "" : "|") + std::string(tokenizer.raw_token(id));
  return out;
}

TEST(SentencePiece, MergesBestScoreFirstAndFallsBackToBytes) {
  const TinyTokenizer t(sentence_piece_vocab());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(spelled(*t, "hello world"), "\u2581hello|\u2581world");
  EXPECT_EQ(spelled(*t, "hellhe"), "\u2581|hell|he");
  EXPECT_EQ(spelled(*t, "\u20ac"), "\u2581|<0xE2>|<0x82>|<0xAC>");
  EXPECT_EQ(spelled(*t, "\xff"), "\u2581|<0xFF>");
  EXPECT_EQ(spelled(*t, ""), "");
  EXPECT_EQ(spelled(*t, "", {.add_special = true}), "<s>");
}

TEST(SentencePiece, ControlTokensOnlyWhenAskedUserDefinedAlways) {
  const TinyTokenizer t(sentence_piece_vocab());
  EXPECT_EQ(spelled(*t, "<user>hello", {}), "<user>|\u2581hello");
  EXPECT_EQ(spelled(*t, "<|tool|>hello", {.parse_special = true}), "<|tool|>|\u2581hello");
  EXPECT_EQ(spelled(*t, "<|tool|>").find("<|tool|>"), std::string::npos);
  EXPECT_EQ(spelled(*t, "</s>").find("</s>"), std::string::npos);
}

TEST(SentencePiece, DecodingTakesTheAddedSpaceAway) {
  const TinyTokenizer t(sentence_piece_vocab());
  for (const char* text : {"hello world", " hello", "x\u20acy", "  hello  world "}) {
    const auto ids = t->encode(text);
    ASSERT_TRUE(ids);
    const auto decoded = t->decode(*ids);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, text);
  }
}

TEST(SentencePiece, NoSpacePrefixWhenTheFileSaysSo) {
  TinyVocab v = sentence_piece_vocab();
  v.switches = {{"add_space_prefix", false}};
  const TinyTokenizer t(v);
  EXPECT_EQ(spelled(*t, "hello"), "hello");
}

TEST(BytePair, MergesByRankInsideWords) {
  const TinyTokenizer t(byte_pair_vocab());
  ASSERT_TRUE(t.ok()) << t.error().message;
  const std::string g = byte_letter(' ');
  EXPECT_EQ(spelled(*t, "hello world"), "hello|" + g + "world");
  EXPECT_EQ(spelled(*t, "  hello"), g + "|" + g + "hello");
  EXPECT_EQ(spelled(*t, "1234"), "123|4");
  const auto ids = t->encode("\u20ac");
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->size(), 3u);
  EXPECT_EQ(*t->decode(*ids), "\u20ac");
}

TEST(BytePair, LongWordsGiveTheSameAsShortOnes) {
  const TinyTokenizer t(byte_pair_vocab());
  std::string text, expected;
  for (int i = 0; i < 500; ++i) {
    text += "hello";
    expected += i == 0 ? "hello" : "|hello";
  }
  EXPECT_EQ(spelled(*t, text), expected);
}

TEST(BytePair, CountIsTheNumberOfTokens) {
  const TinyTokenizer t(byte_pair_vocab());
  for (const char* text : {"", "hello", "hello <|end|> world", "\xc3 broken \xe2\x82"}) {
    for (const bool special : {false, true}) {
      const EncodeOptions options{.add_special = special, .parse_special = special};
      EXPECT_EQ(*t->count(text, options), t->encode(text, options)->size()) << text;
    }
  }
}

TEST(BytePair, BrokenUtf8IsReadAsReplacementCharacters) {
  const TinyTokenizer t(byte_pair_vocab());
  EXPECT_EQ(*t->decode(*t->encode("a\xff"
                                  "b")),
            "a\uFFFDb");
  EXPECT_EQ(*t->decode(*t->encode("\xc0\x80")), std::string("\0", 1));
}

TEST(BytePair, ForgedRolesStayText) {
  const TinyTokenizer t(byte_pair_vocab());
  const auto plain = t->encode("<|end|>");
  ASSERT_TRUE(plain);
  EXPECT_GT(plain->size(), 1u);
  const auto parsed = t->encode("<|end|>", {.parse_special = true});
  ASSERT_EQ(parsed->size(), 1u);
  EXPECT_TRUE(t->is_end((*parsed)[0]));
  EXPECT_TRUE(t->is_control((*parsed)[0]));
}

TEST(PlainPair, SpacesAreMarksAndNewlinesSplit) {
  const TinyTokenizer t(plain_pair_vocab());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(spelled(*t, " ab"), "\u2581ab");
  EXPECT_EQ(spelled(*t, "b> b"), "b|>\u2581|b");  // a merge that joins two words
  EXPECT_EQ(spelled(*t, "a\n\nb"), "a|\n\n|b");
  EXPECT_EQ(spelled(*t, "\u20ac"), "<0xE2>|<0x82>|<0xAC>");
  EXPECT_TRUE(t->add_bos());
}

TEST(PlainPair, WhitespaceModelDropsSpacesAndLowersCase) {
  TinyVocab v = plain_pair_vocab();
  v.model = "whitespace";
  v.pre = "whitespace";
  EXPECT_EQ(spelled(*TinyTokenizer(v), " ab  AB "), "ab|<0x41>|<0x42>");
  v.switches = {{"normalizer.lowercase", true}};
  EXPECT_EQ(spelled(*TinyTokenizer(v), " ab  AB "), "ab|ab");
}

TEST(WordPiece, NormalizesAndCoversWordsOrGivesUp) {
  const TinyTokenizer t(word_piece_vocab());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(spelled(*t, "H\u00c9llo, Worlds!"), "\u2581hello|\u2581,|\u2581wor|ld|s|\u2581!");
  EXPECT_EQ(spelled(*t, "xyz hello"), "[UNK]|\u2581hello");
  EXPECT_EQ(spelled(*t, "\u4e2d\u4e2d"), "\u2581\u4e2d|\u2581\u4e2d");
  EXPECT_EQ(spelled(*t, "hello", {.add_special = true}), "[CLS]|\u2581hello|[SEP]");
}

TEST(Unigram, TakesTheBestSumOfScores) {
  const TinyTokenizer t(unigram_vocab());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(spelled(*t, "ab"), "\u2581ab");
  EXPECT_EQ(spelled(*t, "  a   b "), "\u2581|a|\u2581|b");
  EXPECT_EQ(spelled(*t, "\u20ac\u20ac"), "\u2581|<unk>");
  EXPECT_EQ(spelled(*t, "a", {.add_special = true}), "\u2581|a|</s>");
}

TEST(Decode, SkipsSpecialTokensAndNamesBadIds) {
  const TinyTokenizer t(sentence_piece_vocab());
  const auto ids = t->encode("hello", {.add_special = true});
  EXPECT_EQ(*t->decode(*ids), "<s> hello");
  EXPECT_EQ(*t->decode(*ids, {.skip_special = true}), "hello");
  const Token bad[] = {1, 100000};
  const auto refused = t->decode(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("100000"), std::string::npos);
  EXPECT_EQ(t->piece(-1), "");
  EXPECT_EQ(t->piece(100000), "");
}

TEST(Decode, CleansSpacesBeforePunctuation) {
  const TinyTokenizer t(byte_pair_vocab());
  EXPECT_EQ(*t->decode(*t->encode("a . b ? c ' d it 's we 've")), "a. b? c'd it's we've");
}

TEST(TokenDecoder, NeverGivesHalfACharacter) {
  const TinyTokenizer t(byte_pair_vocab());
  const std::string text = "\u20ac\U0001F600 hello \u00e9";
  TokenDecoder stream(*t);
  std::string joined;
  const auto ids = t->encode(text);
  ASSERT_TRUE(ids);
  for (const Token id : *ids) {
    const std::string_view part = stream.push(id);
    const bool inside = !part.empty() && (static_cast<uint8_t>(part[0]) & 0xC0) == 0x80;
    EXPECT_FALSE(inside) << "begins inside a character";
    joined += part;
  }
  joined += stream.finish();
  EXPECT_EQ(joined, text);
}

TEST(TokenDecoder, UnfinishedCharacterBecomesAReplacement) {
  const TinyTokenizer t(byte_pair_vocab());
  TokenDecoder stream(*t);
  EXPECT_EQ(stream.push(0xE2), "");  // ids of the letters are the bytes
  EXPECT_EQ(stream.push(0x82), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TokenDecoder, ContinuationKeepsItsSpaceWholeTextDoesNot) {
  const TinyTokenizer t(sentence_piece_vocab());
  const Token hello = *t->find("\u2581hello");
  TokenDecoder continuation(*t, {.skip_special = true});
  EXPECT_EQ(continuation.push(hello), " hello");
  TokenDecoder whole(*t, {.skip_special = true});
  EXPECT_EQ(whole.push(*t->bos()), "");
  EXPECT_EQ(whole.push(hello), "hello");
  EXPECT_EQ(whole.push(hello), " hello");
}

TEST(SpecialTokens, LongerTokensWin) {
  TinyVocab v = byte_pair_vocab();
  v.add("<user><user>", 4);
  v.add("r><", 4);
  const TinyTokenizer t(v);
  EXPECT_EQ(spelled(*t, "<user><user><user>"), "<user><user>|<user>");
  EXPECT_EQ(spelled(*t, "r><user>"), "r|>|<user>") << "<user> is longer than r><";
}

TEST(SpecialTokens, PhiStripsBlanksAfterThem) {
  TinyVocab v = sentence_piece_vocab();
  v.texts = {{"general.name", "Phi-3 mini"}};
  const TinyTokenizer t(v);
  EXPECT_EQ(spelled(*t, "<|tool|> \n hello", {.parse_special = true}), "<|tool|>|\u2581hello");
}

}  // namespace
}  // namespace hearth
