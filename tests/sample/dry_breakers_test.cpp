// DRY's breakers found in a vocabulary, and their effect through the whole chain.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "hearth/gguf.h"
#include "hearth/sampler.h"
#include "lib/sample/stages.h"

namespace hearth::sample {
namespace {

/// SentencePiece: unknown, <s>, </s>, then the pieces below from id 3 on.
Result<Tokenizer> make_tokenizer(const std::vector<std::string_view>& pieces) {
  const std::string path = ::testing::TempDir() + "hearth_dry_breakers.gguf";
  auto writer = GgufWriter::create(path);
  if (!writer) return writer.error();
  std::vector<std::string_view> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> kinds = {2, 3, 3};
  tokens.insert(tokens.end(), pieces.begin(), pieces.end());
  kinds.resize(tokens.size(), 1);
  std::vector<float> scores;
  for (size_t i = 0; i < tokens.size(); ++i) scores.push_back(-static_cast<float>(i));
  for (const Status& status :
       {writer->add_string("general.architecture", "llama"), writer->add_string("tokenizer.ggml.model", "llama"),
        writer->add_string_array("tokenizer.ggml.tokens", tokens),
        writer->add_float32_array("tokenizer.ggml.scores", scores),
        writer->add_int32_array("tokenizer.ggml.token_type", kinds),
        writer->add_bool("tokenizer.ggml.add_space_prefix", false), writer->finish()}) {
    if (!status) return status.error();
  }
  auto file = GgufFile::open(path);
  std::remove(path.c_str());
  if (!file) return file.error();
  return Tokenizer::from_gguf(*file);
}

TEST(DryBreakers, AreFoundInsideAndAcrossTokens) {
  const auto tokenizer = make_tokenizer({"a", "b", "c", "ab", "xa", "bc"});  // ids 3 .. 8
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::vector<std::string> texts = {"ab"};
  const auto found = find_dry_breakers(*tokenizer, texts);
  // "a" and "xa" begin it and "b" follows; "ab" holds all of it.
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].head, 3);
  EXPECT_EQ(found[0].tail, (std::vector<Token>{4}));
  EXPECT_EQ(found[1].head, 6);
  EXPECT_TRUE(found[1].tail.empty());
  EXPECT_EQ(found[2].head, 7);
  EXPECT_EQ(found[2].tail, (std::vector<Token>{4}));
}

TEST(DryBreakers, StopThePenaltyInTheChain) {
  const auto tokenizer = make_tokenizer({"a", "b", "c", "d", "\n"});  // ids 3 .. 7
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  SamplerOptions options;
  options.greedy = true;
  options.dry_multiplier = 100;
  const auto next_after = [&](const std::vector<Token>& history, const Tokenizer* with) {
    auto sampler = Sampler::create(tokenizer->n_vocab(), options, with);
    for (Token id : history) sampler->accept(id);
    std::vector<float> logits(8, 0.0f);
    logits[6] = 10;  // "d" is preferred, but would continue "abc"
    return *sampler->sample(logits);
  };
  EXPECT_NE(next_after({3, 4, 5, 6, 3, 4, 5}, &*tokenizer), 6);
  EXPECT_EQ(next_after({3, 4, 5, 6, 3, 7, 5}, &*tokenizer), 6);
  EXPECT_EQ(next_after({7, 5, 6, 3, 7, 5}, &*tokenizer), 6);  // only "c" after the line break: too short
  EXPECT_NE(next_after({7, 5, 6, 3, 7, 5}, nullptr), 6);
}

}  // namespace
}  // namespace hearth::sample
