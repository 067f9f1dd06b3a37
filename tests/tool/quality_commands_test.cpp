// hearth imatrix and hearth perplexity as processes.
#include <nlohmann/json.hpp>

#include "hearth/importance_matrix.h"
#include "support/golden.h"
#include "support/paths.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;

class QualityCommands : public ToolTest {
 protected:
  static std::string example(const char* name) { return hearth::testing::source_dir() + "/examples/models/" + name; }
  std::string text_file() const {
    std::string text;
    for (int i = 0; i < 40; ++i) text += "Mia has a red kite. Tom has " + std::to_string(i) + " blue boats. ";
    write(path("text.txt"), text);
    return path("text.txt");
  }
  const std::string base_ = example("small-world-q8_0.gguf"), draft_ = example("small-world-draft-q8_0.gguf");
};

TEST_F(QualityCommands, PerplexityAndDivergence) {
  const std::string text = text_file();
  const ToolResult plain = run_tool({"perplexity", base_, text, "-c", "64", "--chunks", "3"});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_NE(plain.out.find("3 chunks of 3, 93 scored tokens"), std::string::npos) << plain.out;
  const ToolResult saved =
      run_tool({"perplexity", base_, text, "-c", "64", "--chunks", "3", "--save-logits", path("base"), "--json"});
  ASSERT_EQ(saved.exit_code, 0) << saved.err;
  const ToolResult other = run_tool({"perplexity", draft_, "--kld", path("base"), "--json"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  const Json json = Json::parse(other.out);
  EXPECT_EQ(json["divergence"]["base_perplexity"]["value"], Json::parse(saved.out)["perplexity"]["value"]);
  EXPECT_GT(json["divergence"]["kld"]["value"], 0.001);
}

TEST_F(QualityCommands, PerplexityInterruptedSaysWhatItHas) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "Mia has a red kite. Tom has " + std::to_string(i) + " blue boats. ";
  write(path("long.txt"), text);
  ToolRun run{.args = {"perplexity", base_, path("long.txt"), "--save-logits", path("base")}};
  run.interrupt_after_ms = 1500;
  const ToolResult result = run_tool(run);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.err.find("interrupted"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("base")));
}

TEST_F(QualityCommands, WhatIsWrongIsOneLine) {
  EXPECT_EQ(run_tool({"perplexity", base_}).exit_code, 2);
  for (const std::vector<std::string>& args : {std::vector<std::string>{"perplexity", base_, path("none.txt")},
                                               {"perplexity", base_, "--kld", path("none")},
                                               {"perplexity", base_, text_file(), "--kld", base_},
                                               {"imatrix", base_, path("none.txt"), "-o", path("m")}}) {
    const ToolResult result = run_tool(args);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  EXPECT_FALSE(std::filesystem::exists(path("m")));
}

TEST_F(QualityCommands, ImatrixWritesAndAdds) {
  const std::string text = text_file();
  const ToolResult one = run_tool({"imatrix", base_, text, "-c", "64", "--chunks", "2", "-o", path("one.gguf")});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_NE(one.err.find("little text"), std::string::npos) << one.err;
  const ToolResult two = run_tool(
      {"imatrix", base_, text, "-c", "64", "--chunks", "2", "--in-file", path("one.gguf"), "-o", path("two.gguf")});
  ASSERT_EQ(two.exit_code, 0) << two.err;
  const auto a = ImportanceMatrix::read(path("one.gguf")), b = ImportanceMatrix::read(path("two.gguf"));
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->datasets, std::vector<std::string>{"text.txt"});
  ASSERT_EQ(a->entries().size(), b->entries().size());
  for (size_t i = 0; i < a->entries().size(); ++i) {
    EXPECT_EQ(b->entries()[i].counts[0], 2 * a->entries()[i].counts[0]);
    EXPECT_EQ(b->entries()[i].sums[0], 2 * a->entries()[i].sums[0]);
  }
}

TEST_F(QualityCommands, ConvertVerifyCompare) {
  const std::filesystem::path golden = golden_dir() / "safetensors" / "llama-bf16";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << "no golden data in " << golden_dir();
  ASSERT_EQ(run_tool({"convert", golden.string(), "-o", path("m.gguf")}).exit_code, 0);
  ASSERT_EQ(run_tool({"convert", golden.string(), "-o", path("f32.gguf"), "--type", "f32"}).exit_code, 0);
  EXPECT_EQ(run_tool({"convert", golden.string(), "-o", path("x.gguf"), "--type", "q9"}).exit_code, 2);
  const size_t n_before = n_files();
  const ToolResult blocks = run_tool({"convert", golden.string(), "-o", path("q8.gguf"), "--type", "q8_0"});
  ASSERT_EQ(blocks.exit_code, 0) << blocks.err;
  EXPECT_EQ(n_files(), n_before + 1) << "the file of floats is removed";
  EXPECT_EQ(run_tool({"verify", path("q8.gguf")}).exit_code, 0);
  const ToolResult sound = run_tool({"verify", path("m.gguf")});
  EXPECT_EQ(sound.exit_code, 0) << sound.err;
  EXPECT_NE(sound.out.find("all sound"), std::string::npos);
  const ToolResult compared = run_tool({"compare", path("m.gguf"), path("f32.gguf"), "--json", "--svg", path("e.svg")});
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_EQ(Json::parse(compared.out)["types"]["BF16 -> F32"]["relative_error"], 0.0);
  EXPECT_TRUE(read(path("e.svg")).starts_with("<svg "));
  std::string bytes = read(path("m.gguf"));
  bytes[bytes.size() - 40] = static_cast<char>(bytes[bytes.size() - 40] ^ 1);
  write(path("m.gguf"), bytes);
  const ToolResult damaged = run_tool({"verify", path("m.gguf"), "--json"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_EQ(Json::parse(damaged.out)["damaged"].size(), 1u) << damaged.out;
  EXPECT_NE(damaged.err.find("is damaged"), std::string::npos);
  expect_one_error_line(run_tool({"verify", base_}), "has no checksums");
}

}  // namespace
}  // namespace hearth::testing
