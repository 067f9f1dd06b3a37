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
      {"no vocabulary", with(spm, [](TinyVocab& v) { v.model = "none"; }), ErrorCode::kUnsupported, "none"},
      {"unknown pre", with(bytes_vocab, [](TinyVocab& v) { v.pre = "nobody"; }), ErrorCode::kUnsupported, "nobody"},
      {"no tokens", with(spm, [](TinyVocab& v) { v.tokens.clear(); }), ErrorCode::kNotFound, "tokens"},
      {"repeated token", with(spm, [](TinyVocab& v) { v.tokens[5] = v.tokens[6]; }), ErrorCode::kFormat, "entry 6"},
      {"few scores", with(spm, [](TinyVocab& v) { v.scores.resize(3); }), ErrorCode::kFormat, "scores"},
      {"score is no number", with(spm, [](TinyVocab& v) { v.scores[4] = std::nanf(""); }), ErrorCode::kFormat,
       "entry 4"},
      {"few types", with(spm, [](TinyVocab& v) { v.types.resize(3); }), ErrorCode::kFormat, "token_type"},
      {"type too large", with(spm, [](TinyVocab& v) { v.types[9] = 7; }), ErrorCode::kFormat, "entry 9"},
      {"type negative", with(spm, [](TinyVocab& v) { v.types[9] = -1; }), ErrorCode::kFormat, "entry 9"},
      {"byte misspelt", with(spm, [](TinyVocab& v) { v.tokens[7] = "<0xG0>"; }), ErrorCode::kFormat, "entry 7"},
      {"byte cut short", with(spm, [](TinyVocab& v) { v.tokens[7] = "<0"; }), ErrorCode::kFormat, "entry 7"},
      {"bos out of range",
       with(spm,
            [](TinyVocab& v) {
              v.ids = {{"bos_token_id", 5000}};
            }),
       ErrorCode::kFormat, "bos_token_id"},
      {"eos out of range",
       with(spm,
            [](TinyVocab& v) {
              v.ids = {{"eos_token_id", 0x7FFFFFFF}};
            }),
       ErrorCode::kFormat, "eos_token_id"},
      {"sep wanted, none there",
       with(spm,
            [](TinyVocab& v) {
              v.switches = {{"add_sep_token", true}};
            }),
       ErrorCode::kFormat, "add_sep_token"},
      {"no merges", with(bytes_vocab, [](TinyVocab& v) { v.merges.clear(); }), ErrorCode::kNotFound, "merges"},
      {"merge of one", with(bytes_vocab, [](TinyVocab& v) { v.merges[2] = "abc"; }), ErrorCode::kFormat, "entry 2"},
      {"merge of nothing", with(bytes_vocab, [](TinyVocab& v) { v.merges[2] = ""; }), ErrorCode::kFormat, "entry 2"},
      {"merge without right", with(bytes_vocab, [](TinyVocab& v) { v.merges[2] = "a "; }), ErrorCode::kFormat,
       "entry 2"},
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
