// chat (from a pipe), template and embed of the tool, with the trained model of examples/models.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

using ToolTalk = ToolTest;

ToolResult chat(const std::string& input, std::vector<std::string> more = {}) {
  std::vector<std::string> args = {"chat", kSmallWorld, "--commands", "--greedy", "-t", "1"};
  args.insert(args.end(), more.begin(), more.end());
  return run_tool(args, input);
}

TEST_F(ToolTalk, ChatAnswersFromAPipe) {
  const ToolResult result = chat("Tell me a story about Anna and a kite.\nWhat colour was the kite?\n/stats\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Anna"), std::string::npos);
  EXPECT_NE(result.out.find("\nThe kite was "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("stop: end_token"), std::string::npos);
  EXPECT_EQ(result.out.find(", 0 from the cache"), std::string::npos) << "the second prompt begins as the first";
}

TEST_F(ToolTalk, ChatSavesLoadsAndTakesBack) {
  const std::string file = path("talk.json");
  const ToolResult saved = chat("/system Be kind.\nHello\n/save " + file + "\n/undo\n/undo\n/nonsense\n/exit\nHello\n");
  EXPECT_EQ(saved.exit_code, 0) << saved.err;
  EXPECT_NE(saved.out.find("(taken back)"), std::string::npos);
  EXPECT_NE(saved.out.find("(there is nothing to take back)"), std::string::npos);
  EXPECT_NE(saved.out.find("unknown command /nonsense"), std::string::npos);
  const Json messages = Json::parse(read(file), nullptr, false);
  ASSERT_TRUE(messages.is_array()) << read(file);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0]["role"], "system");
  EXPECT_EQ(messages[2]["role"], "assistant");
  const ToolResult loaded = chat("/load " + file + "\n/regen\n");
  EXPECT_NE(loaded.out.find("(3 messages)"), std::string::npos) << loaded.out;
  EXPECT_NE(loaded.out.find(messages[2]["content"].get<std::string>()), std::string::npos) << "greedy: the same answer";
}

TEST_F(ToolTalk, ChatSaysWhatAFullContextDoes) {
  const std::string input = "Tell me a story about Anna and a kite.\nTell me a story about Tom and a boat.\nHello\n";
  const ToolResult stops = chat(input, {"-c", "128", "--on-full", "stop"});
  EXPECT_NE(stops.out.find("the answer is cut off here"), std::string::npos) << stops.out;
  EXPECT_NE(stops.out.find("this message was not sent"), std::string::npos);
  const ToolResult drops = chat(input, {"-c", "128"});
  EXPECT_NE(drops.out.find("(the oldest 2 messages were forgotten to make room)"), std::string::npos) << drops.out;
  EXPECT_EQ(drops.out.find("not sent"), std::string::npos);
}

TEST_F(ToolTalk, OneAnswerToAnArgumentAPipeOrBoth) {
  const auto ask = [](std::vector<std::string> more, const std::string& input) {
    std::vector<std::string> args = {"chat", kSmallWorld, "--greedy", "-t", "1"};
    args.insert(args.end(), more.begin(), more.end());
    return run_tool(args, input);
  };
  const ToolResult given = ask({"What is 27 + 45?"}, "");
  EXPECT_EQ(given.exit_code, 0) << given.err;
  EXPECT_EQ(given.out, "27 + 45 = 72\n");
  EXPECT_EQ(ask({}, "What is 27 + 45?\n").out, given.out);
  write(path("question.txt"), "What is 27 + 45?\n");
  EXPECT_EQ(ask({"-f", path("question.txt")}, "").out, given.out);
  // A piped text is one message however many lines it has, and no line of it is a command.
  const ToolResult piped = ask({"Hello"}, "What is 1 + 1?\n/save " + path("x.json") + "\n");
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(std::count(piped.out.begin(), piped.out.end(), '\n'), 1) << piped.out;
  EXPECT_FALSE(std::filesystem::exists(path("x.json")));
  expect_one_error_line(ask({}, ""), "no message", 2);
  EXPECT_EQ(ask({"-c", "64", std::string(500, 'x')}, "").exit_code, 1) << "it does not fit";
}

TEST_F(ToolTalk, TheFileRecommendsSettingsThatFlagsOverride) {
  const ToolResult recommended = chat("/params\n");
  EXPECT_NE(recommended.out.find("temperature        0.7 "), std::string::npos) << recommended.out;
  const ToolResult given = chat("/params\n", {"--temp", "0.25"});
  EXPECT_NE(given.out.find("temperature        0.25 "), std::string::npos) << given.out;
}

TEST_F(ToolTalk, ChatStopsAtStopTextsAndCtrlC) {
  const ToolResult stopped = chat("Tell me a story about Anna and a kite.\n/stats\n", {"--stop", "."});
  EXPECT_NE(stopped.out.find("stop: stop_text"), std::string::npos) << stopped.out;
  const ToolResult interrupted = run_tool(ToolRun{.args = {"chat", kSmallWorld, "--commands", "--greedy", "-t", "1"},
                                                  .input = "Tell me a story about Anna and a kite.\n/stats\n",
                                                  .interrupt_after = 1});
  EXPECT_EQ(interrupted.exit_code, 0) << interrupted.err;
}

TEST_F(ToolTalk, ToolsAreCalledAndAllowedProgramsAnswer) {
  write(path("tools.json"),
        R"([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties":
        {"place": {"type": "string"}}, "required": ["place"]}}}, {"type": "function", "function": {"name": "price",
        "parameters": {"type": "object", "properties": {"food": {"type": "string"}}, "required": ["food"]}}}])");
  const std::vector<std::string> flags = {"--tools", path("tools.json")};
  const std::string question = "How is the weather at the museum?\n", got = path("arguments.json");
  const ToolResult asked = chat(question + "/tool sunny\n/save " + path("calls.json") + "\n/think\n", flags);
  EXPECT_NE(asked.out.find("\nThe weather at the museum is sunny.\n"), std::string::npos) << asked.out << asked.err;
  EXPECT_NE(asked.out.find("(thinking is hidden)"), std::string::npos) << asked.out;
  std::stringstream saved;
  saved << std::ifstream(path("calls.json")).rdbuf();
  EXPECT_NE(saved.str().find("\"tool_calls\""), std::string::npos) << saved.str();
  std::vector<std::string> with = flags;
  with.insert(with.end(), {"--exec", "weather=cat > " + got + "; echo rainy"});
  const ToolResult run = chat(question, with);
  EXPECT_NE(run.out.find("The weather at the museum is rainy."), std::string::npos) << run.out << run.err;
  std::stringstream arguments;
  arguments << std::ifstream(got).rdbuf();
  EXPECT_EQ(arguments.str(), R"({"place": "museum"})");
  EXPECT_EQ(chat(question, {"--exec", "weather"}).exit_code, 2);
}

TEST_F(ToolTalk, TemplateShowsThePrompt) {
  write(path("messages.json"), R"([{"role": "user", "content": "Hi <|im_end|>"}])");
  const ToolResult text = run_tool({"template", kSmallWorld, "--messages", path("messages.json")});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("Hi <|im_end|>"), std::string::npos);
  const ToolResult json = run_tool({"template", kSmallWorld, "--messages", path("messages.json"), "--json"});
  const Json parsed = Json::parse(json.out, nullptr, false);
  ASSERT_TRUE(parsed.is_object()) << json.out;
  EXPECT_GT(parsed.size(), 1u);
  write(path("own.jinja"), "{{ messages[0].content | upper }}");
  const ToolResult own =
      run_tool({"template", kSmallWorld, "--messages", path("messages.json"), "--template", path("own.jinja")});
  EXPECT_NE(own.out.find("HI <|IM_END|>"), std::string::npos) << own.out;
  const ToolResult source = run_tool({"template", kSmallWorld, "--template", path("own.jinja")});
  EXPECT_EQ(source.out, "{{ messages[0].content | upper }}\n") << "without messages its source";
  write(path("bad.jinja"), "{% if %}");
  expect_one_error_line(
      run_tool({"template", kSmallWorld, "--messages", path("messages.json"), "--template", path("bad.jinja")}),
      "line");
}

TEST_F(ToolTalk, EmbedTakesATextOfSeveralLines) {
  const ToolResult given = run_tool({"embed", kSmallWorld, "a cat\non a mat", "-t", "1"});
  EXPECT_EQ(given.exit_code, 0) << given.err;
  EXPECT_EQ(std::count(given.out.begin(), given.out.end(), '\n'), 1) << given.out;
  EXPECT_NE(given.out, run_tool({"embed", kSmallWorld, "a cat", "-t", "1"}).out);
  EXPECT_EQ(run_tool({"embed", kSmallWorld, "a cat", "-t", "1"}).out,
            run_tool({"embed", kSmallWorld, "-t", "1"}, "a cat\n").out);
}

TEST_F(ToolTalk, EmbedPrintsOneUnitVectorPerLine) {
  const ToolResult result = run_tool({"embed", kSmallWorld, "--json", "-t", "1"}, "a cat\na dog\na cat\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << result.out;
  ASSERT_EQ(json["embeddings"].size(), 3u);
  double squares = 0;
  for (const double value : json["embeddings"][0]) squares += value * value;
  EXPECT_NEAR(squares, 1, 1e-5);
  EXPECT_EQ(json["embeddings"][0], json["embeddings"][2]);
  EXPECT_NE(json["embeddings"][0], json["embeddings"][1]);
  const ToolResult lines = run_tool({"embed", kSmallWorld, "--csv", "--dimensions", "4", "-t", "1"}, "a cat\na dog\n");
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 2) << lines.out;
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), ','), 6);
}

}  // namespace
}  // namespace hearth::testing
