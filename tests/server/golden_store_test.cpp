// A store that Ollama wrote, served: every name answers over HTTP as Ollama did (support/ollama_store.h).
#include <set>
#include <sstream>

#include "server_world.h"
#include "support/ollama_store.h"

namespace hearth_server {
namespace {

class GoldenServedStore : public ServerTest {
 protected:
  static void SetUpTestSuite() {
    ollama_ = std::make_unique<hearth::testing::OllamaStore>();
    hearth_store::Store store(ollama_->dir.file("own"));
    store.add(hearth_store::Origin::kOllama, ollama_->root);
    store_ = std::make_unique<ModelStore>(std::move(store));
    store_->offer_store();
    server_ = std::make_unique<Server>(*store_, options());
    ASSERT_TRUE(server_->start());
  }
  static void TearDownTestSuite() {
    server_.reset();
    store_.reset();
    ollama_.reset();
  }
  void SetUp() override {
    if (!ollama_->skipped.empty()) GTEST_SKIP() << ollama_->skipped;
    ASSERT_EQ("", ollama_->failure);
  }

  static inline std::unique_ptr<hearth::testing::OllamaStore> ollama_;
};

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

TEST_F(GoldenServedStore, NamesAreListedAndShownAsOllamaDoes) {
  const Json tags = ask("GET", "/api/tags").json();
  for (const auto& [name, wanted] : ollama_->expected.items()) {
    SCOPED_TRACE(name);
    bool is_listed = false;
    for (const Json& model : tags["models"]) {
      if (model["name"] != name) continue;
      is_listed = true;
      EXPECT_EQ(wanted["size"], model["size"]);
      EXPECT_EQ(wanted["digest"], model["digest"]);
      for (const char* detail : {"parent_model", "family", "families", "parameter_size"})
        EXPECT_EQ(wanted["details"][detail], model["details"][detail]) << detail;
    }
    EXPECT_TRUE(is_listed);
    const Json shown = post("/api/show", {{"model", name}}).json();
    for (const char* text : {"template", "system", "license"})
      EXPECT_EQ(wanted["show"].value(text, ""), shown.value(text, "")) << text;
    EXPECT_EQ(wanted["show"]["capabilities"], shown["capabilities"]);
    EXPECT_EQ(wanted["show"].value("messages", Json::array()), shown.value("messages", Json::array()));
    EXPECT_EQ(lines_of(wanted["show"].value("parameters", "")), lines_of(shown.value("parameters", "")));
    for (const auto& [key, value] : wanted["model_info"].items()) {
      if (value.is_number_float()) {
        EXPECT_NEAR(value.get<double>(), shown["model_info"][key].get<double>(), 1e-6 * std::abs(value.get<double>()));
      } else {
        EXPECT_EQ(value, shown["model_info"][key]) << key;
      }
    }
  }
}

TEST_F(GoldenServedStore, AnswersAreThoseOfOllama) {
  const Json greedy = {{"temperature", 0}};
  for (const auto& [name, wanted] : ollama_->expected.items()) {
    SCOPED_TRACE(name);
    if (wanted.contains("chat")) {
      const Json answer = post("/api/chat", {{"model", name},
                                             {"stream", false},
                                             {"options", greedy},
                                             {"messages", {{{"role", "user"}, {"content", "What is 71 plus 11?"}}}}})
                              .json();
      for (const char* key : {"done_reason", "prompt_eval_count", "eval_count"})
        EXPECT_EQ(wanted["chat"][key], answer[key]) << key;
      EXPECT_EQ(wanted["chat"]["message"]["content"], answer["message"]["content"]);
    }
    if (wanted.contains("generate")) {
      const Json answer =
          post("/api/generate",
               {{"model", name}, {"stream", false}, {"options", greedy}, {"prompt", "What is 71 plus 11?"}})
              .json();
      for (const char* key : {"response", "done_reason", "prompt_eval_count", "eval_count"})
        EXPECT_EQ(wanted["generate"][key], answer[key]) << key;
    }
    if (wanted.contains("embed")) {
      const Json answer = post("/api/embed", {{"model", name}, {"input", "a cat sleeps"}}).json();
      EXPECT_EQ(wanted["embed"]["size"], answer["embeddings"][0].size());
      EXPECT_EQ(wanted["embed"]["prompt_eval_count"], answer["prompt_eval_count"]);
      for (size_t i = 0; i < wanted["embed"]["first"].size(); ++i)
        EXPECT_NEAR(wanted["embed"]["first"][i].get<double>(), answer["embeddings"][0][i].get<double>(), 1e-3);
    }
  }
}

TEST_F(GoldenServedStore, TextsBetweenTextsUseTheStoresTemplate) {
  if (!ollama_->expected.contains("fill:latest")) GTEST_SKIP() << "there is no model 'fill'";
  const Json answer = post("/api/generate", {{"model", "fill"},
                                             {"stream", false},
                                             {"options", {{"temperature", 0}, {"num_predict", 4}}},
                                             {"prompt", "Anna has a"},
                                             {"suffix", " in the garden."}})
                          .json();
  EXPECT_TRUE(answer.contains("response")) << answer;
}

}  // namespace
}  // namespace hearth_server
