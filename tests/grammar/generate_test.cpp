// Generation that keeps to a grammar: texts validate, forced text is not sampled, samplers never leave the mask.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "hearth/session.h"
#include "support/paths.h"

namespace hearth {
namespace {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";
constexpr const char* kSchema = R"({"type": "object", "properties": {
  "name_of_the_animal": {"enum": ["cat", "dog", "bird"]}, "age": {"type": "integer", "minimum": 1, "maximum": 30},
  "friends": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 3}},
  "required": ["name_of_the_animal", "age", "friends"], "additionalProperties": false})";

class GrammarGeneration : public ::testing::Test {
 protected:
  GrammarGeneration()
      : model(Model::open(kSmallWorld)), session(Session::create(*model, {.n_ctx = 512, .n_threads = 1})) {}
  Result<Model> model;
  Result<Session> session;
};

TEST_F(GrammarGeneration, TextsSatisfyTheSchema) {
  const auto grammar = Grammar::from_json_schema(kSchema);
  ASSERT_TRUE(grammar.ok()) << grammar.error().message;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SamplerOptions sampler;
    sampler.seed = seed;
    sampler.temperature = 1.5f;
    const auto out =
        session->generate("Anna has an animal. ", {.max_tokens = 200, .sampler = sampler, .grammar = *grammar});
    ASSERT_TRUE(out.ok()) << out.error().message;
    EXPECT_EQ(out->stop_reason, StopReason::kEndToken) << out->text;
    const auto value = nlohmann::json::parse(out->text, nullptr, false);
    ASSERT_TRUE(value.is_object()) << out->text;
    const std::string name = value["name_of_the_animal"];
    EXPECT_TRUE(name == "cat" || name == "dog" || name == "bird");
    EXPECT_GE(value["age"].get<int>(), 1);
    EXPECT_LE(value["age"].get<int>(), 30);
    EXPECT_LE(value["friends"].size(), 3u);
  }
}

TEST_F(GrammarGeneration, ForcedTextIsComputedTogether) {
  const auto grammar = Grammar::from_json_schema(kSchema);
  const auto prompt = model->tokenizer().encode("Anna has an animal. ", {.add_special = true});
  auto generator =
      Generator::create(*model, *prompt, {.max_tokens = 200, .sampler = {.greedy = true}, .grammar = *grammar});
  ASSERT_TRUE(generator.ok());
  session->cache().clear();
  ASSERT_TRUE(session->prefill(*prompt).ok());
  size_t n_steps = 0, n_forced = 0;
  while (!generator->finished()) {
    const auto token = generator->accept(session->logits(0));
    ASSERT_TRUE(token.ok()) << token.error().message;
    ++n_steps;
    for (auto more = generator->accept_forced(); more && *more; more = generator->accept_forced()) ++n_forced;
    const auto batch = generator->pending(0);
    ASSERT_TRUE(batch.ok());
    if (generator->finished()) break;
    ASSERT_TRUE(session->decode(*batch).ok());
  }
  EXPECT_GT(n_forced, 4u);
  EXPECT_LE(n_steps + n_forced, generator->ids().size() + 1);
  // The same text as without jumping ahead, when each token is greedy and its choice forced.
  const auto whole = session->generate(std::span<const Token>(*prompt),
                                       {.max_tokens = 200, .sampler = {.greedy = true}, .grammar = *grammar});
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->text, generator->text());
}

TEST(SamplerMask, NeverLeavesTheMaskAndNeverIsEmpty) {
  SamplerOptions options;
  options.logit_bias = {{3, -std::numeric_limits<float>::infinity()}};
  auto sampler = Sampler::create(100, options);
  std::vector<float> logits(100);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  const std::vector<uint64_t> two = {uint64_t{1} << 3 | uint64_t{1} << 40, 0};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*sampler->sample(logits, two), 40);
  const std::vector<uint64_t> only_forbidden = {uint64_t{1} << 3};
  EXPECT_EQ(*sampler->sample(logits, only_forbidden), 3);
  std::fill(logits.begin(), logits.end(), std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(*sampler->sample(logits, two), 40);
  EXPECT_FALSE(sampler->sample(logits, std::vector<uint64_t>(2)).ok());
  EXPECT_FALSE(sampler->sample(logits, {}).ok());
  sampler->add_stage(StagePosition::kLast, [](Candidates& c) { c.items = {{99, 5, 0}}; });
  std::fill(logits.begin(), logits.end(), 0.0f);
  EXPECT_EQ(*sampler->sample(logits, two), 40);
}

}  // namespace
}  // namespace hearth
