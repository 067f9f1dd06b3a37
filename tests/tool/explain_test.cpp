// hearth explain: what it shows is what `hearth run` does.
#include <nlohmann/json.hpp>

#include "support/family_model.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "tool/terminal_process.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";
constexpr const char* kText = "Once upon a time there was a";

std::vector<std::string> with(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

Json json_of(const std::vector<std::string>& args) {
  const ToolResult result = run_tool(args);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  Json parsed = Json::parse(result.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << result.out;
  return parsed;
}

Json steps_of(const std::vector<std::string>& settings, int n) {
  return json_of(with({"explain", kSmallWorld, kText, "--json", "-n", std::to_string(n)}, settings))["steps"];
}

TEST(Explain, ShowsTokensAttentionAndStages) {
  const ToolResult result = run_tool(std::vector<std::string>{"explain", kSmallWorld, kText, "--seed", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* shown :
       {"7 tokens\n", "1361 \"Once\"  1478 \" upon\"", "layer 5: what \" a\" attends to, mean of 4 heads; most: ",
        "  Once upon a time there was a\n", "█", "  logits                   1925  \" brave\" ", "\n  top_k 40 ",
        "\n  top_p 0.95 ", "\n  min_p 0.05 ", "\n  temperature 0.7 ", "\nchosen: \" ", "seed 1\n"}) {
    EXPECT_NE(result.out.find(shown), std::string::npos) << shown << " is not in\n" << result.out;
  }
  EXPECT_EQ(result.out.find("head 0"), std::string::npos);
  EXPECT_EQ(result.out.find('\033'), std::string::npos);
  const ToolResult heads = run_tool(std::vector<std::string>{"explain", kSmallWorld, "--heads", "--greedy"}, kText);
  EXPECT_NE(heads.out.find("head 3\n"), std::string::npos) << heads.out;
  EXPECT_EQ(heads.out.find("head 4\n"), std::string::npos);
  EXPECT_EQ(heads.out.find("top_k"), std::string::npos) << "greedy choice cuts nothing";
}

TEST(Explain, OnATerminalHeatIsAColor) {
  TerminalProcess terminal({"explain", kSmallWorld, kText, "--seed", "1"}, {.colors = true});
  EXPECT_TRUE(terminal.shows("48;5;196m"));
  EXPECT_TRUE(terminal.shows("chosen"));
}

// Every step chooses what the same settings make `hearth run` write, whatever stages are on.
TEST(Explain, ChoosesWhatRunChooses) {
  const std::vector<std::vector<std::string>> all = {
      {"--greedy"},
      {"--seed", "3"},
      {"--seed", "4", "--temp", "1.5", "--top-k", "0", "--top-p", "1", "--min-p", "0"},
      {"--seed", "5", "--repeat-penalty", "1.4", "--presence-penalty", "0.5", "--dry-multiplier", "1"},
      {"--seed", "6", "--xtc-probability", "0.5", "--typical", "0.9", "--top-n-sigma", "1.5", "--dynatemp-range",
       "0.3"},
      {"--seed", "7", "--mirostat", "2", "--mirostat-tau", "3"},
      {"--greedy", "--logit-bias", "10=20"},
  };
  for (const auto& settings : all) {
    const Json ran = json_of(with({"run", kSmallWorld, "-p", kText, "-n", "6", "--json", "-q"}, settings));
    const Json steps = steps_of(settings, 6);
    ASSERT_EQ(steps.size(), 6u) << settings.back();
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(steps[i]["chosen"]["id"], ran["ids"][i]) << settings[1] << " " << settings.back() << " step " << i;
      EXPECT_EQ(steps[i]["tokens"].size(), 7 + i);
    }
  }
}

TEST(Explain, StagesNarrowDown) {
  const Json steps = steps_of({"--seed", "1", "--top", "1000"}, 1);
  const Json& stages = steps[0]["stages"];
  std::vector<std::string> names;
  for (size_t i = 0; i < stages.size(); ++i) {
    names.push_back(stages[i]["stage"]);
    double sum = 0;
    for (const Json& candidate : stages[i]["best"]) sum += candidate["p"].get<double>();
    if (stages[i]["left"] < 1000) {
      EXPECT_NEAR(sum, 1, 1e-4) << names.back();
    }
    if (i > 0) {
      EXPECT_LE(stages[i]["left"], stages[i - 1]["left"]);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"logits", "top_k", "top_p", "min_p", "temperature"}));
  EXPECT_EQ(stages[0]["left"], 1925);
  EXPECT_EQ(stages[1]["left"], 40);
  // What the model itself gives is what `hearth logits` shows.
  const ToolResult logits = run_tool(std::vector<std::string>{"logits", kSmallWorld, "-p", kText, "--top", "1"});
  char shown[32];
  std::snprintf(shown, sizeof shown, "%.5f", stages[0]["best"][0]["p"].get<double>());
  EXPECT_NE(logits.out.find(std::string(shown).substr(0, 6)), std::string::npos) << logits.out << shown;
}

TEST(Explain, SharesOfAttentionSumToOne) {
  const Json first = steps_of({"--greedy", "--layer", "0"}, 2), last = steps_of({"--greedy"}, 2);
  for (const Json& step : {first[0], last[0], last[1]}) {
    const Json& seen = step["attention"];
    EXPECT_EQ(seen["heads"].size(), 4u);
    EXPECT_EQ(seen["mean"].size(), step["tokens"].size());
    double sum = 0, of_first_position = 0;
    for (const Json& share : seen["mean"]) sum += share.get<double>();
    for (const Json& head : seen["heads"]) of_first_position += head[0].get<double>();
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_NEAR(seen["mean"][0].get<double>(), of_first_position / 4, 1e-6);
  }
  EXPECT_EQ(first[0]["attention"]["layer"], 0);
  EXPECT_EQ(last[0]["attention"]["layer"], 5);
  EXPECT_NE(first[0]["attention"]["mean"], last[0]["attention"]["mean"]);
}

TEST(Explain, AMessageGoesThroughTheTemplate) {
  const Json steps = json_of({"explain", kSmallWorld, "What is 2 + 2?", "--chat", "--greedy", "--json"})["steps"];
  EXPECT_EQ(steps[0]["tokens"][0]["text"], "<|im_start|>");
  EXPECT_EQ(steps[0]["chosen"]["text"], "2");
}

TEST(Explain, EndsWhereTheTextEnds) {
  const Json steps =
      json_of({"explain", kSmallWorld, "What is 2 + 2?", "--chat", "--greedy", "--json", "-n", "40"})["steps"];
  EXPECT_EQ(steps.back()["chosen"]["text"], "<|im_end|>");
  EXPECT_LT(steps.size(), 12u);
}

TEST(Explain, OneLineOfErrorForWhatIsWrong) {
  const std::vector<std::string> good = {"explain", kSmallWorld, "a text"};
  expect_one_error_line(run_tool(std::vector<std::string>{"explain", kSmallWorld}), "give a text", 2);
  expect_one_error_line(run_tool(with(good, {"--steps", "0"})), "--steps", 2);
  expect_one_error_line(run_tool(with(good, {"--top", "-1"})), "--top", 2);
  expect_one_error_line(run_tool(with(good, {"--layer", "6"})), "layer 6", 2);
  expect_one_error_line(run_tool(with(good, {"--temp", "nan"})), "temperature", 2);
  expect_one_error_line(run_tool(with(good, {"--logit-bias", "99999=1"})), "99999", 2);
  expect_one_error_line(run_tool(with(good, {"-c", "1"})), "-c");
  expect_one_error_line(run_tool(std::vector<std::string>{"explain", "/no/such/file", "a text"}), "/no/such/file");
  expect_one_error_line(run_tool(std::vector<std::string>{"explain", kSmallWorld, "\xff"}), "UTF-8");
  const TempDir dir;
  const auto bytes = FamilyModel(*find_architecture("bert")).gguf();
  const std::string encoder = dir.write("bert.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  expect_one_error_line(run_tool(std::vector<std::string>{"explain", encoder, "a text"}), "encoder");
}

}  // namespace
}  // namespace hearth::testing
