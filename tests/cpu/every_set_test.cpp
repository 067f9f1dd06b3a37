// A whole model on every instruction set that this machine can run: the same text on all, and of each set the same bits
// for any number of threads.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/hearth.h"
#include "support/paths.h"

namespace hearth {
namespace {

/// Puts the set in use back after a test.
class EverySet : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = Model::open(testing::source_dir() + "/examples/models/small-world-q8_0.gguf");
    ASSERT_TRUE(model) << model.error().message;
    model_ = std::move(*model);
  }
  ~EverySet() override { (void)force_isa(before_); }

  static std::vector<std::string> usable() {
    std::vector<std::string> names;
    for (const IsaInfo& isa : list_isas()) {
      if (isa.usable) names.emplace_back(isa.name);
    }
    return names;
  }
  /// Logits after a prompt (panels of several columns), and after one more token (a single column).
  std::vector<float> logits(int n_threads) {
    std::vector<float> all;
    auto session = Session::create(*model_, {.n_ctx = 128, .n_threads = n_threads});
    const auto tokens = model_->tokenizer().encode("Tell me a story about a kite, a dog and the wind in the trees.");
    if (!session || !tokens || tokens->size() < 12) {
      ADD_FAILURE();
      return all;
    }
    for (const std::span<const Token> part : {std::span(*tokens), std::span(*tokens).first(1)}) {
      EXPECT_TRUE(session->prefill(part));
      all.insert(all.end(), session->logits(0).begin(), session->logits(0).end());
    }
    return all;
  }

  std::optional<Model> model_;
  std::string before_ = active_isa();
};

TEST_F(EverySet, WritesTheSameText) {
  std::map<std::string, std::string> texts;
  for (const std::string& name : usable()) {
    ASSERT_TRUE(force_isa(name));
    auto session = Session::create(*model_, {.n_ctx = 128, .n_threads = 2});
    ASSERT_TRUE(session) << session.error().message;
    const auto text = session->generate("Tell me a story", {.max_tokens = 24, .sampler = {.greedy = true}});
    ASSERT_TRUE(text) << text.error().message;
    texts[name] = text->text;
  }
  EXPECT_GT(texts["scalar"].size(), 40u);
  for (const auto& [name, text] : texts) EXPECT_EQ(text, texts["scalar"]) << name;
}

TEST_F(EverySet, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const std::string& name : usable()) {
    ASSERT_TRUE(force_isa(name));
    const std::vector<float> one = logits(1);
    ASSERT_FALSE(one.empty());
    for (const int n_threads : {2, 3}) {
      const std::vector<float> several = logits(n_threads);
      ASSERT_EQ(several.size(), one.size());
      EXPECT_EQ(std::memcmp(several.data(), one.data(), one.size() * sizeof(float)), 0)
          << name << ", " << n_threads << " threads";
    }
  }
}

/// NEON's sets sum the same integers and round the same floats in the same order.
TEST_F(EverySet, OfArmGiveTheSameBits) {
  std::vector<float> of_base;
  for (const std::string& name : usable()) {
    if (name.rfind("neon", 0) != 0) continue;
    ASSERT_TRUE(force_isa(name));
    const std::vector<float> of_set = logits(1);
    if (of_base.empty()) of_base = of_set;
    ASSERT_EQ(of_set.size(), of_base.size());
    EXPECT_EQ(std::memcmp(of_set.data(), of_base.data(), of_base.size() * sizeof(float)), 0) << name;
  }
  if (of_base.empty()) GTEST_SKIP() << "no such processor";
}

}  // namespace
}  // namespace hearth
