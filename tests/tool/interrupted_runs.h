// Programs that write a model, stopped by Ctrl-C at random moments.
#pragma once

#include <chrono>
#include <random>

#include "hearth/model.h"
#include "tool/tool_process.h"

namespace hearth::testing {

/// Runs a program that writes the model `out`: once to its end, then n times interrupted within that time. Each of them
/// leaves a whole model, or says so and leaves nothing: `n_files` counts what lies about.
template <typename CountFiles>
void expect_nothing_or_a_whole_model(ToolRun run, const std::string& out, int n, const CountFiles& n_files) {
  const size_t n_before = n_files();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_tool(run).exit_code, 0);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::filesystem::remove(out);
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> moment(0, static_cast<int>(whole.count()));
  for (int i = 0; i < n; ++i) {
    run.interrupt_after_ms = moment(random);
    const ToolResult result = run_tool(run);
    SCOPED_TRACE("after " + std::to_string(run.interrupt_after_ms) + " ms: " + result.err);
    if (result.exit_code == 0) {
      EXPECT_TRUE(Model::open(out));
      std::filesystem::remove(out);
    } else if (result.exit_code != -1) {  // -1: before the program had begun to listen
      EXPECT_EQ(result.exit_code, 130);
      EXPECT_NE(result.err.find("interrupted"), std::string::npos);
    }
    ASSERT_EQ(n_files(), n_before);
  }
}

}  // namespace hearth::testing
