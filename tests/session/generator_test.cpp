// Generator without a model: tokens are chosen by made-up logits, text and stop reasons follow.
#include "hearth/generator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/tiny_model.h"

namespace {

using hearth::GeneratedToken;
using hearth::GenerateOptions;
using hearth::Generator;
using hearth::StopReason;
using hearth::Token;
using hearth::testing::TinyModel;

constexpr int32_t kLogits = 300;

/// The byte token of a character in the tiny vocabulary.
Token byte_token(char c) {
  return 3 + static_cast<unsigned char>(c);
}

class GeneratorTest : public ::testing::Test {
 protected:
  GeneratorTest() : bytes_(TinyModel({.n_tokens = 290}).gguf()) {
    auto file = hearth::GgufFile::from_memory(bytes_);
    tokenizer_.emplace(*hearth::Tokenizer::from_gguf(*file));
  }

  Generator make(GenerateOptions options) {
    if (!options.own_sampler) options.sampler.greedy = true;
    auto made = Generator::create(*tokenizer_, kLogits, prompt_, options);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  /// Logits that make the greedy sampler take `id`.
  static std::vector<float> logits_for(Token id) {
    std::vector<float> logits(kLogits, 0.0f);
    logits[static_cast<size_t>(id)] = 5.0f;
    return logits;
  }

  /// Feeds the characters of `text` one by one, until the generator finishes; what it handed out each time.
  static std::vector<std::string> feed(Generator& generator, const std::string& text) {
    std::vector<std::string> pieces;
    for (const char c : text) {
      const auto token = generator.accept(logits_for(byte_token(c)));
      EXPECT_TRUE(token) << token.error().message;
      pieces.emplace_back(token->text);
      EXPECT_EQ(token->finished, generator.finished());
      if (token->finished) break;
    }
    return pieces;
  }

  using Pieces = std::vector<std::string>;
  std::vector<std::byte> bytes_;
  std::optional<hearth::Tokenizer> tokenizer_;
  std::vector<Token> prompt_ = {1, byte_token('x')};
};

TEST_F(GeneratorTest, HandsOutTextAsItComes) {
  Generator generator = make({.max_tokens = 3});
  EXPECT_EQ(generator.next(4).id, prompt_.back());
  EXPECT_EQ(feed(generator, "abcd"), (Pieces{"a", "b", "c"}));
  EXPECT_EQ(generator.text(), "abc");
  EXPECT_EQ(generator.stop_reason(), StopReason::kLength);
  EXPECT_EQ(generator.ids(), (std::vector<Token>{byte_token('a'), byte_token('b'), byte_token('c')}));
  EXPECT_FALSE(generator.accept(logits_for(5))) << "finished";
}

TEST_F(GeneratorTest, NextIsTheLastTokenAtItsPosition) {
  Generator generator = make({});
  feed(generator, "ab");
  const hearth::BatchToken next = generator.next(7);
  EXPECT_EQ(next.id, byte_token('b'));
  EXPECT_EQ(next.pos, 3);
  EXPECT_EQ(next.seq, 7);
  EXPECT_TRUE(next.logits);
}

TEST_F(GeneratorTest, AStopTextMayReachOverTokens) {
  Generator generator = make({.stop_texts = {"END"}});
  EXPECT_EQ(feed(generator, "oEENDx"), (Pieces{"o", "", "E", "", ""}));
  EXPECT_EQ(generator.text(), "oE");
  EXPECT_EQ(generator.stop_reason(), StopReason::kStopText);
}

TEST_F(GeneratorTest, TheFirstOfSeveralStopTextsEndsTheText) {
  Generator generator = make({.stop_texts = {"", "zz", "\n\n", "b\n"}});
  EXPECT_EQ(feed(generator, "a\nb\nzz"), (Pieces{"a", "", "\n", ""}));
  EXPECT_EQ(generator.text(), "a\n");
  EXPECT_EQ(generator.stop_reason(), StopReason::kStopText);
}

TEST_F(GeneratorTest, WhatWasHeldBackIsHandedOutAtTheEnd) {
  Generator generator = make({.max_tokens = 3, .stop_texts = {"bcd"}});
  EXPECT_EQ(feed(generator, "abc"), (Pieces{"a", "", "bc"}));
  Generator ended = make({.stop_texts = {"bcd"}});
  feed(ended, "ab");
  EXPECT_EQ(ended.finish(StopReason::kContextFull), "b");
  EXPECT_EQ(ended.stop_reason(), StopReason::kContextFull);
  EXPECT_EQ(ended.text(), "ab");
}

TEST_F(GeneratorTest, AfterACallbackSaidStopNothingFollows) {
  Generator generator = make({.stop_texts = {"bcd"}});
  feed(generator, "ab");
  EXPECT_EQ(generator.finish(StopReason::kCallback), "");
  EXPECT_EQ(generator.finish(StopReason::kLength), "") << "finished already";
  EXPECT_EQ(generator.stop_reason(), StopReason::kCallback);
}

TEST_F(GeneratorTest, TheEndTokenEndsUnlessIgnored) {
  const Token end = *tokenizer_->eos();
  Generator generator = make({});
  const auto token = generator.accept(logits_for(end));
  ASSERT_TRUE(token);
  EXPECT_TRUE(token->finished);
  EXPECT_EQ(token->id, end);
  EXPECT_EQ(token->stop_reason, StopReason::kEndToken);
  EXPECT_TRUE(generator.ids().empty());
  Generator goes_on = make({.ignore_end = true});
  EXPECT_FALSE(goes_on.accept(logits_for(end))->finished);
  EXPECT_EQ(goes_on.ids().size(), 1u);
}

TEST_F(GeneratorTest, RowsThatPadTheEmbeddingAreNeverTaken) {
  for (const bool greedy : {true, false}) {
    auto made = Generator::create(*tokenizer_, kLogits, prompt_,
                                  {.sampler = {.seed = 3, .greedy = greedy, .top_k = 0, .top_p = 1, .min_p = 0}});
    ASSERT_TRUE(made) << made.error().message;
    std::vector<float> logits(kLogits, 0.0f);
    for (int32_t id = tokenizer_->n_vocab(); id < kLogits; ++id) logits[static_cast<size_t>(id)] = 50.0f;
    for (int i = 0; i < 20 && !made->finished(); ++i) {
      const auto token = made->accept(logits);
      ASSERT_TRUE(token);
      EXPECT_LT(token->id, tokenizer_->n_vocab());
    }
  }
}

TEST_F(GeneratorTest, ProbabilitiesAreTheModelsOwn) {
  Generator generator = make({.probabilities = true});
  const auto token = generator.accept(logits_for(byte_token('q')));
  const double e = std::exp(5.0);
  EXPECT_NEAR(token->probability, e / (e + 289), 1e-6) << "over the 290 tokens of the vocabulary";
  Generator without = make({});
  EXPECT_EQ(without.accept(logits_for(byte_token('q')))->probability, 0);
}

TEST_F(GeneratorTest, AHostsOwnSamplerIsUsedAsItIs) {
  auto sampler = hearth::Sampler::create(kLogits, {.greedy = true}, &*tokenizer_);
  ASSERT_TRUE(sampler);
  sampler->add_stage(hearth::StagePosition::kLast, [](hearth::Candidates& candidates) {
    std::erase_if(candidates.items, [](const hearth::Candidate& c) { return c.id != byte_token('k'); });
  });
  Generator generator = make({.max_tokens = 2, .own_sampler = &*sampler});
  EXPECT_EQ(feed(generator, "ab"), (Pieces{"k", "k"}));
}

TEST_F(GeneratorTest, MaximumOfNoTokensIsFinishedAtOnce) {
  Generator generator = make({.max_tokens = 0});
  EXPECT_TRUE(generator.finished());
  EXPECT_EQ(generator.text(), "");
}

TEST_F(GeneratorTest, PromptsOutOfRangeAreErrors) {
  const std::vector<Token> bad = {1, kLogits};
  EXPECT_FALSE(Generator::create(*tokenizer_, kLogits, bad));
  EXPECT_FALSE(Generator::create(*tokenizer_, kLogits, {}));
  EXPECT_FALSE(Generator::create(*tokenizer_, kLogits, prompt_, {.sampler = {.top_p = std::nanf("")}}));
  Generator generator = make({});
  EXPECT_FALSE(generator.accept(std::vector<float>(7)));
}

}  // namespace
