// hearth quantize as a process: what it needs, and what it leaves behind when it is stopped or the disk is full.
#include "hearth/model.h"
#include "tool/interrupted_runs.h"
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
  expect_nothing_or_a_whole_model(quantize_run("Q4_K_M"), path("out.gguf"), 8, [this] { return n_files(); });
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
