// hearth quantize as a process: what it needs, and what it leaves behind when it is stopped or the disk is full.
#include <chrono>
#include <random>

#include "hearth/model.h"
#include "tool/tool_process.h"

namespace hearth::testing {
namespace {

class QuantizeCommand : public ToolTest {
 protected:
  /// A file of 143 MB, 57 MB of it in one tensor.
  void make_source() {
    const ToolResult made =
        run_tool({"make-model", "smollm2-135m", "--layers", "12", "--type", "f16", "-o", path("source.gguf")});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    n_before_ = n_files();
  }
  ToolRun quantize_run(const std::string& type) const {
    return {.args = {"quantize", path("source.gguf"), path("out.gguf"), type, "-t", "2"}};
  }
  size_t n_files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path("")), {}));
  }
  size_t n_before_ = 0;
};

TEST_F(QuantizeCommand, MemoryDoesNotGrowWithTheFile) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take address space of their own";
#endif
  make_source();
  ToolRun run = quantize_run("Q4_K_M");
  run.max_address_bytes = 100 << 20;
  const ToolResult result = run_tool(run);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(Model::open(path("out.gguf")));
  EXPECT_LT(result.max_resident_bytes, 50 << 20);
}

TEST_F(QuantizeCommand, InterruptedAtAnyMomentItLeavesNothingOrAWholeFile) {
  make_source();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_tool(quantize_run("Q4_K_M")).exit_code, 0);
  const auto whole = std::chrono::steady_clock::now() - start;
  std::filesystem::remove(path("out.gguf"));
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> moment(
      0, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(whole).count()));
  for (int i = 0; i < 8; ++i) {
    ToolRun run = quantize_run("Q4_K_M");
    run.interrupt_after_ms = moment(random);
    const ToolResult result = run_tool(run);
    SCOPED_TRACE("after " + std::to_string(run.interrupt_after_ms) + " ms: " + result.err);
    if (result.exit_code == 0) {
      EXPECT_TRUE(Model::open(path("out.gguf")));
      std::filesystem::remove(path("out.gguf"));
    } else if (result.exit_code != -1) {  // -1: before the program had begun to listen
      EXPECT_EQ(result.exit_code, 130);
      EXPECT_NE(result.err.find("interrupted"), std::string::npos);
    }
    ASSERT_EQ(n_files(), n_before_);
  }
}

TEST_F(QuantizeCommand, AFullDiskIsOneLine) {
  make_source();
  ToolRun run = quantize_run("Q8_0");
  run.max_file_bytes = 20 << 20;
  const ToolResult result = run_tool(run);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_EQ(n_files(), n_before_);
}

}  // namespace
}  // namespace hearth::testing
