// hearth grammar, and the flags that keep a text to a grammar.
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/temp_dir.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

TEST(GrammarCommand, SaysWhereATextLeavesTheGrammar) {
  const TempDir dir;
  const std::string gbnf = dir.write("list.gbnf", "root ::= [0-9]+ (\", \" [0-9]+)*\n");
  const ToolResult good = run_tool(std::vector<std::string>{"grammar", gbnf, "12, 3"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.out, "accepted\n");
  const ToolResult bad = run_tool(std::vector<std::string>{"grammar", gbnf, "12, x"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_EQ(bad.out, "12, x\n    ^\nrejected at byte 4, line 1; expected: '0' to '9'\n");
  const ToolResult faulty = run_tool(std::vector<std::string>{"grammar", gbnf}, "1,");
  EXPECT_EQ(faulty.exit_code, 1);
  EXPECT_NE(faulty.out.find("incomplete at byte 2"), std::string::npos) << faulty.out;
}

TEST(GrammarCommand, RunKeepsToASchema) {
  const std::string schema = R"({"type":"object","properties":{"age":{"type":"integer","maximum":9,"minimum":0}},)"
                             R"("required":["age"],"additionalProperties":false})";
  const ToolResult run =
      run_tool(std::vector<std::string>{"run", kSmallWorld, "-p", "Anna", "-q", "--json-schema", schema});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto value = nlohmann::json::parse(run.out, nullptr, false);
  ASSERT_TRUE(value.is_object()) << run.out;
  EXPECT_TRUE(value["age"].is_number_integer());
  const ToolResult wrong =
      run_tool(std::vector<std::string>{"run", kSmallWorld, "-p", "Anna", "--json-schema", "{\"type\":\"x\"}"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("#/type"), std::string::npos) << wrong.err;
}

}  // namespace
}  // namespace hearth::testing
