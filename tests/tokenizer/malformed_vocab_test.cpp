// Vocabularies that lie: each must give an error that names the key, and none may crash.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tiny_vocab.h"

namespace hearth {
namespace {

using namespace hearth::testing;

struct Case {
  const char* name;
  std::function<TinyVocab()> make;
  ErrorCode code;
  const char* mentions;
};

/// `vocab` after `change`.
std::function<TinyVocab()> with(TinyVocab (*vocab)(), std::function<void(TinyVocab&)> change) {
  return [=] {
    TinyVocab v = vocab();
    change(v);
    return v;
  };
}
TinyVocab bytes_vocab() {
  return byte_pair_vocab();
}

std::vector<Case> cases() {
  const auto spm = sentence_piece_vocab;
  return {
      {"no model", with(spm, [](TinyVocab& v) { v.model.clear(); }), ErrorCode::kNotFound, "tokenizer.ggml.model"},
      {"unknown model", with(spm, [](TinyVocab& v) { v.model = "magic"; }), ErrorCode::kUnsupported, "magic"},
      {"rwkv", with(spm, [](TinyVocab& v) { v.model = "rwkv"; }), ErrorCode::kUnsupported, "rwkv"},
      {"unknown pre", with(bytes_vocab, [](TinyVocab& v) { v.pre = "nobody"; }), ErrorCode::kUnsupported, "nobody"},
      {"no tokens", with(spm, [](TinyVocab& v) { v.tokens.clear(); }), ErrorCode::kNotFound, "tokens"},
      {"few scores", with(spm, [](TinyVocab& v) { v.scores.resize(3); }), ErrorCode::kFormat, "scores"},
      {"score is no number", with(spm, [](TinyVocab& v) { v.scores[4] = std::nanf(""); }), ErrorCode::kFormat,
       "entry 4"},
      {"few types", with(spm, [](TinyVocab& v) { v.types.resize(3); }), ErrorCode::kFormat, "token_type"},
      {"byte misspelt", with(spm, [](TinyVocab& v) { v.tokens[7] = "<0xG0>"; }), ErrorCode::kFormat, "entry 7"},
      {"byte cut short", with(spm, [](TinyVocab& v) { v.tokens[7] = "<0"; }), ErrorCode::kFormat, "entry 7"},
      {"no merges", with(bytes_vocab, [](TinyVocab& v) { v.merges.clear(); }), ErrorCode::kNotFound, "merges"},
      {"map too short", with(unigram_vocab, [](TinyVocab& v) { v.char_map = "abc"; }), ErrorCode::kFormat, "charsmap"},
      {"map longer than itself", with(unigram_vocab, [](TinyVocab& v) { v.char_map = std::string(40, '\xff'); }),
       ErrorCode::kFormat, "charsmap"},
      {"map without replacements",
       with(unigram_vocab, [](TinyVocab& v) { v.char_map = std::string("\4\0\0\0\0\0\0\0", 8); }), ErrorCode::kFormat,
       "charsmap"},
  };
}

TEST(MalformedVocab, EachIsRefusedWithItsKey) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const TinyTokenizer t(c.make());
    ASSERT_FALSE(t.ok());
    EXPECT_EQ(t.error().code, c.code) << t.error().message;
    EXPECT_NE(t.error().message.find(c.mentions), std::string::npos) << t.error().message;
    EXPECT_EQ(t.error().message.find('\n'), std::string::npos);
  }
}

TEST(MalformedVocab, OddButUsable) {
  TinyVocab empty_entry = sentence_piece_vocab();
  empty_entry.tokens[260] = "";
  const TinyTokenizer named(empty_entry);
  ASSERT_TRUE(named.ok()) << named.error().message;
  EXPECT_EQ(named->raw_token(260), "[EMPTY_260]");

  TinyVocab bad_pad = sentence_piece_vocab();
  bad_pad.ids = {{"padding_token_id", 4000000000u}};
  const TinyTokenizer padless(bad_pad);
  ASSERT_TRUE(padless.ok());
  EXPECT_FALSE(padless->pad().has_value());

  TinyVocab no_bos = sentence_piece_vocab();
  no_bos.ids = {{"bos_token_id", 0xFFFFFFFFu}};  // -1: none
  EXPECT_TRUE(TinyTokenizer(no_bos).ok());

  TinyVocab foreign = byte_pair_vocab();
  foreign.add("\u4e2d");  // no letter of a byte
  const TinyTokenizer shown(foreign);
  ASSERT_TRUE(shown.ok());
  EXPECT_NE(shown->piece(shown->n_vocab() - 1).find("UNK_BYTE"), std::string_view::npos);
}

/// Opens, says what is odd in one line, and gives a text back.
void expect_usable(const TinyVocab& v, const char* mentions, const std::string& text = "hello") {
  const TinyTokenizer t(v);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_NE(t->warning().find(mentions), std::string_view::npos) << t->warning();
  EXPECT_EQ(t->warning().find('\n'), std::string_view::npos);
  const auto ids = t->encode(text);
  ASSERT_TRUE(ids) << ids.error().message;
  const auto back = t->decode(*ids);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, text);
}

TEST(MalformedVocab, SmallFaultsAreWorkedAroundAndNamed) {
  const TinyVocab spm = sentence_piece_vocab(), bpe = byte_pair_vocab();
  EXPECT_EQ(TinyTokenizer(spm)->warning(), "");
  TinyVocab repeated = spm;
  repeated.add(spm.tokens[260]);
  expect_usable(repeated, ("repeats entry " + std::to_string(260)).c_str());
  for (const int32_t type : {7, -1, 1000}) {
    TinyVocab odd = spm;
    odd.types[9] = type;
    expect_usable(odd, "token_type: 1 entries");
  }
  for (const char* key : {"bos_token_id", "eos_token_id", "unknown_token_id"}) {
    TinyVocab outside = spm;
    outside.ids = {{key, 5000}};
    expect_usable(outside, key);
    const TinyTokenizer t(outside);
    EXPECT_EQ(t->bos(), 1);
    EXPECT_EQ(t->eos(), 2);
    EXPECT_EQ(t->unk(), 0);
  }
  TinyVocab no_sep = spm;
  no_sep.switches = {{"add_sep_token", true}};
  expect_usable(no_sep, "add_sep_token");
  for (const char* merge : {"abc", "", "a "}) {
    TinyVocab odd = bpe;
    odd.merges[2] = merge;
    EXPECT_TRUE(TinyTokenizer(odd).ok()) << merge;
  }
  TinyVocab no_pre = bpe;
  no_pre.pre.clear();
  expect_usable(no_pre, "tokenizer.ggml.pre");
}

TEST(MalformedVocab, MergesThatAreNoneKeepTheOrderOfTheOthers) {
  TinyVocab odd = byte_pair_vocab();
  odd.merges.insert(odd.merges.begin() + 1, "broken");
  const TinyTokenizer with(odd), without(byte_pair_vocab());
  EXPECT_EQ(*with->encode("the hat and the cat"), *without->encode("the hat and the cat"));
}

TEST(MalformedVocab, WithoutVocabularyIdsRemain) {
  TinyVocab none = sentence_piece_vocab();
  none.model = "none";
  const TinyTokenizer t(none);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(t->n_vocab(), 0);
  EXPECT_FALSE(t->bos() || t->eos());
  EXPECT_FALSE(t->is_end(2));
  const auto ids = t->encode("hello");
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, ErrorCode::kUnsupported);
}

TEST(MalformedVocab, MergesOfStringsThatAreNoTokens) {
  TinyVocab v = byte_pair_vocab();
  v.merges.insert(v.merges.begin(), {"x y", "xy z"});
  const TinyTokenizer t(v);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(*t->decode(*t->encode("axyzb")), "axyzb") << "what has no token is written in bytes";
}

TEST(MalformedVocab, EveryTruncationIsHandled) {
  for (const TinyVocab& v : {sentence_piece_vocab(), byte_pair_vocab(), unigram_vocab()}) {
    const std::string file = v.file();
    for (size_t n = 0; n < file.size(); n += 7) {
      const TinyTokenizer t(file.substr(0, n));
      EXPECT_TRUE(!t.ok() || t->encode("hello world")) << n;
    }
  }
}

}  // namespace
}  // namespace hearth
