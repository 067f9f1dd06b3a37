// The vocabulary: what merges may join, and that the library reads what the program writes.
#include <gtest/gtest.h>

#include "examples/train/corpus.h"
#include "examples/train/export.h"
#include "tests/support/temp_dir.h"

namespace train {
namespace {

using hearth::testing::TempDir;

TEST(TrainVocabulary, SplitsAsTheRuleSays) {
  const std::vector<std::string_view> expected{"It",  "'s", " ",       "4",   "2", " cats", ",",
                                               " \"", "hi", "\".\n\n", "end", " ", " x"};
  EXPECT_EQ(split_words("It's 42 cats, \"hi\".\n\nend  x"), expected);
}

TEST(TrainVocabulary, LearnsTheMostFrequentPairFirst) {
  const Vocabulary vocabulary = learn_vocabulary("abab abab cd cd<end>cd", 262, {"<end>"});
  ASSERT_GE(vocabulary.merges.size(), 2u);
  EXPECT_EQ(vocabulary.merges[0], (std::pair<std::string, std::string>("a", "b")));
  EXPECT_EQ(vocabulary.size(), 256u + 4 + 1);  // ab, abab, cd and " cd"; " abab" occurs once
  EXPECT_EQ(vocabulary.special.back(), "<end>");
}

TEST(TrainVocabulary, TheLibraryReadsItAndDigitsStayApart) {
  const TempDir folder;
  std::string text;
  Dice dice(1, Split::kTraining);
  for (int i = 0; i < 300; ++i) text += document(dice, Stage::kMixed).text;
  const Vocabulary vocabulary = learn_vocabulary(text, 700, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
  const auto tokenizer = make_tokenizer(vocabulary, folder.file("v.gguf"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->n_vocab(), static_cast<int32_t>(vocabulary.size()));
  const std::string sample = text.substr(0, 20000);
  const auto ids = tokenizer->encode(sample, {.parse_special = true});
  ASSERT_TRUE(ids);
  EXPECT_LT(ids->size(), sample.size() / 2);
  EXPECT_EQ(*tokenizer->decode(*ids), sample);
  for (const hearth::Token id : *ids) {
    const std::string_view piece = tokenizer->piece(id);
    const bool has_digit = piece.find_first_of("0123456789") != std::string_view::npos;
    EXPECT_TRUE(!has_digit || piece.size() == 1) << piece;
  }
  EXPECT_TRUE(tokenizer->is_end(*tokenizer->find("<|im_end|>")));
}

}  // namespace
}  // namespace train
