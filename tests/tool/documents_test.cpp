// The manual page and the completions: made of the commands' own options, and understood by those who read them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/temp_dir.h"
#include "tool_process.h"

namespace hearth::testing {
namespace {

TEST(Documents, NameEveryCommandAndItsOptions) {
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"man"}, {"completions", "bash"}, {"completions", "zsh"}, {"completions", "fish"}}) {
    const auto result = run_tool(args);
    EXPECT_EQ(0, result.exit_code) << result.err;
    for (const char* word : {"chat", "pull", "serve", "quantize", "selftest"})
      EXPECT_NE(std::string::npos, result.out.find(word)) << args.back() << ": " << word;
    for (const char* flag : {"max", "tokens", "greedy", "modelfile"})
      EXPECT_NE(std::string::npos, result.out.find(flag)) << args.back() << ": " << flag;
  }
  EXPECT_EQ(2, run_tool({"completions", "tcsh"}).exit_code);
}

TEST(Documents, ShellsReadTheCompletions) {
  const TempDir dir;
  const std::string file = dir.write("hearth", run_tool({"completions", "bash"}).out);
  if (std::system("bash --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no bash";
  const std::string ask = "bash -c 'source " + file +
                          "; COMP_WORDS=(hearth ru); COMP_CWORD=1; _hearth; echo \"${COMPREPLY[*]}\";"
                          " COMP_WORDS=(hearth run --max-t); COMP_CWORD=2; _hearth; echo \"${COMPREPLY[*]}\"' > " +
                          dir.file("out") + " 2>&1";
  EXPECT_EQ(0, std::system(ask.c_str()));
  std::ifstream in(dir.file("out"));
  std::string first, second;
  std::getline(in, first);
  std::getline(in, second);
  EXPECT_EQ("run", first);
  EXPECT_EQ("--max-tokens", second);
}

}  // namespace
}  // namespace hearth::testing
