// A run stays within the memory plan that was printed before it.
#include <nlohmann/json.hpp>

#include "tool/tool_process.h"

namespace {

using hearth::testing::run_tool;
using hearth::testing::ToolResult;

class SlowPlan : public hearth::testing::ToolTest {};

TEST_F(SlowPlan, ResidentMemoryStaysWithinIt) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need memory of their own";
#endif
  const std::string model = make_model("smollm2-135m", "q4_k_m");
  const ToolResult plan = run_tool({"inspect", model, "--plan", "-c", "1024", "-t", "2", "--json"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  const int64_t planned = nlohmann::json::parse(plan.out)["plan"]["total_bytes"];
  std::string prompt;
  for (int i = 0; i < 400; ++i) prompt += "word ";
  // As far as the context goes, so that every page is touched.
  const ToolResult run =
      run_tool({"run", model, "-p", prompt, "-c", "1024", "-n", "-1", "-t", "2", "--ignore-eos", "--greedy", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(nlohmann::json::parse(run.out)["stop"], "context_full");
  EXPECT_LE(run.max_resident_bytes, planned);
  EXPECT_GE(run.max_resident_bytes, planned / 2) << "a plan far above the truth is no plan";
}

}  // namespace
