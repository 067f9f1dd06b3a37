// A store that Ollama itself wrote, opened in place: every name with what Ollama said of it. The folder is the one
// named by HEARTH_OLLAMA_STORE, or shared/api/stores/ollama beside the checkout; it holds models/, expected.json, and,
// where weights are left out, rebuild.py, which makes them.
#include <algorithm>
#include <set>
#include <sstream>

#include "examples/store/model_template.h"
#include "hearth/adapter.h"
#include "hearth/chat.h"
#include "hearth/embedder.h"
#include "store_world.h"
#include "support/ollama_store.h"

namespace hearth_store {
namespace {

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

class GoldenOllamaStore : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ollama_ = std::make_unique<hearth::testing::OllamaStore>();
    store_ = std::make_unique<Store>(ollama_->dir.file("own"));
    store_->add(Origin::kOllama, ollama_->root);
  }
  static void TearDownTestSuite() {
    store_.reset();
    ollama_.reset();
  }
  void SetUp() override {
    if (!ollama_->skipped.empty()) GTEST_SKIP() << ollama_->skipped;
    ASSERT_EQ("", ollama_->failure);
  }
  /// What a message's first question gets, greedily, as Ollama was asked.
  static std::string answer(const Entry& entry, hearth::Model& model, int32_t& n_prompt, int32_t& n_answer);

  static inline std::unique_ptr<hearth::testing::OllamaStore> ollama_;
  static inline std::unique_ptr<Store> store_;
};

TEST_F(GoldenOllamaStore, EveryNameIsListed) {
  const Listing listing = store_->list();
  for (const Problem& problem : listing.problems) ADD_FAILURE() << problem.name << ": " << problem.error.message;
  std::vector<std::string> wanted;
  for (const auto& [name, value] : ollama_->expected.items()) wanted.push_back(name);
  std::sort(wanted.begin(), wanted.end());
  std::string joined;
  for (const std::string& name : wanted) joined += (joined.empty() ? "" : " ") + name;
  EXPECT_EQ(joined, names_of(listing));
}

TEST_F(GoldenOllamaStore, NamesMeanWhatOllamaSays) {
  for (const auto& [name, wanted] : ollama_->expected.items()) {
    SCOPED_TRACE(name);
    const auto entry = store_->find(lower_case(name));
    ASSERT_TRUE(entry) << entry.error().message;
    EXPECT_EQ(wanted["digest"], entry->digest);
    EXPECT_EQ(wanted["size"], entry->bytes);
    EXPECT_TRUE(store_->check_weights(*entry));
    const Json& details = wanted["details"];
    EXPECT_EQ(details["parent_model"], entry->parent);
    EXPECT_EQ(details["family"], entry->config["model_family"]);
    EXPECT_EQ(details["parameter_size"], entry->config["model_type"]);
    EXPECT_EQ(details["quantization_level"], entry->config["file_type"]);
    const ModelFacts facts = read_facts(entry->path);
    EXPECT_EQ(details["parameter_size"], facts.parameter_size());
    const Json& show = wanted["show"];
    const TemplateChoice choice = choose_template(*entry, facts);
    EXPECT_EQ(show["template"], choice.shown);
    EXPECT_EQ(show["capabilities"], Json(choice.capabilities));
    EXPECT_EQ(show.value("system", ""), entry->system);
    EXPECT_EQ(show.value("license", ""), entry->license);
    EXPECT_EQ(show.value("messages", Json::array()), entry->messages);
    EXPECT_EQ(lines_of(show.value("parameters", "")), lines_of(parameters_text(entry->parameters)));
  }
}

std::string GoldenOllamaStore::answer(const Entry& entry, hearth::Model& model, int32_t& n_prompt, int32_t& n_answer) {
  auto chat_template =
      compile_template(choose_template(entry, read_facts(entry.path)), model.file(), model.tokenizer());
  if (!chat_template) return "error: " + chat_template.error().message;
  std::vector<hearth::ChatMessage> messages;
  if (!entry.system.empty()) messages.push_back({.role = "system", .content = entry.system});
  for (const Json& one : entry.messages) messages.push_back({.role = one["role"], .content = one["content"]});
  messages.push_back({.role = "user", .content = "What is 71 plus 11?"});
  const auto prompt = chat_template->render(messages);
  if (!prompt) return "error: " + prompt.error().message;
  const auto ids = hearth::ChatTemplate::encode(*prompt, model.tokenizer());
  if (!ids) return "error: " + ids.error().message;
  n_prompt = static_cast<int32_t>(ids->size());
  hearth::GenerateOptions options{.max_tokens = 48};
  options.sampler.greedy = true;
  auto session = hearth::Session::create(model, {.n_ctx = 384});
  if (!session) return "error: " + session.error().message;
  const auto made = session->generate(*ids, options);
  if (!made) return "error: " + made.error().message;
  n_answer = static_cast<int32_t>(made->ids.size());
  return made->text;
}

TEST_F(GoldenOllamaStore, AnswersAreOllamas) {
  int n_answers = 0;
  for (const auto& [name, wanted] : ollama_->expected.items()) {
    if (!wanted.contains("chat")) continue;
    SCOPED_TRACE(name);
    const auto entry = store_->find(name);
    ASSERT_TRUE(entry) << entry.error().message;
    auto model = hearth::Model::open(entry->path);
    ASSERT_TRUE(model) << model.error().message;
    int32_t n_prompt = 0, n_answer = 0;
    EXPECT_EQ(wanted["chat"]["message"]["content"], answer(*entry, *model, n_prompt, n_answer));
    EXPECT_EQ(wanted["chat"]["prompt_eval_count"], n_prompt);
    ++n_answers;
  }
  EXPECT_GT(n_answers, 0);
}

TEST_F(GoldenOllamaStore, AdaptersAndVectorsOpen) {
  for (const auto& [name, wanted] : ollama_->expected.items()) {
    SCOPED_TRACE(name);
    const auto entry = store_->find(name);
    ASSERT_TRUE(entry) << entry.error().message;
    auto model = hearth::Model::open(entry->path);
    ASSERT_TRUE(model) << model.error().message;
    for (const std::string& path : entry->adapters) {
      const auto adapter = hearth::Adapter::load(path, *model);
      EXPECT_TRUE(adapter) << adapter.error().message;
    }
    if (!wanted.contains("embed")) continue;
    auto embedder = hearth::Embedder::create(*model);
    ASSERT_TRUE(embedder) << embedder.error().message;
    const auto vector = embedder->embed("a cat sleeps");
    ASSERT_TRUE(vector) << vector.error().message;
    for (size_t i = 0; i < wanted["embed"]["first"].size(); ++i)
      EXPECT_NEAR(wanted["embed"]["first"][i].get<double>(), vector->values[i], 1e-3) << i;
  }
}

}  // namespace
}  // namespace hearth_store
