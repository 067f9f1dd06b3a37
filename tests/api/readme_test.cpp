// What README.md claims about the source: its program is the one in examples/quickstart, and the files it names exist.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "support/golden.h"

namespace hearth::testing {
namespace {

std::filesystem::path source_dir() {
  return HEARTH_SOURCE_DIR;
}

TEST(Readme, HoldsTheQuickstartProgram) {
  const std::string program = read_file(source_dir() / "examples/quickstart/quickstart.cpp");
  ASSERT_FALSE(program.empty());
  EXPECT_NE(read_file(source_dir() / "README.md").find("```cpp\n" + program + "```"), std::string::npos)
      << "README.md and examples/quickstart/quickstart.cpp differ";
}

TEST(Readme, AndContributingNameFilesThatExist) {
  const std::string readme = read_file(source_dir() / "README.md") + read_file(source_dir() / "CONTRIBUTING.md");
  const std::regex path("`((?:include|lib|kernels|examples|tests|cmake|benchmarks)/[A-Za-z0-9_./-]+)`");
  int n_paths = 0;
  for (std::sregex_iterator it(readme.begin(), readme.end(), path), end; it != end; ++it, ++n_paths) {
    EXPECT_TRUE(std::filesystem::exists(source_dir() / (*it)[1].str())) << (*it)[1].str();
  }
  EXPECT_GT(n_paths, 5);
}

}  // namespace
}  // namespace hearth::testing
