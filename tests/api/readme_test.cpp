// What README.md claims about the source: its program is the one in examples/quickstart, and the files it names exist.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "hearth/model.h"
#include "support/golden.h"
#include "support/paths.h"

namespace hearth::testing {
namespace {

std::filesystem::path source_dir() {
  return hearth::testing::source_dir();
}

TEST(Readme, HoldsTheQuickstartProgram) {
  const std::string program = read_file(source_dir() / "examples/quickstart/quickstart.cpp");
  ASSERT_FALSE(program.empty());
  EXPECT_NE(read_file(source_dir() / "README.md").find("```cpp\n" + program + "```"), std::string::npos)
      << "README.md and examples/quickstart/quickstart.cpp differ";
}

TEST(Readme, AndContributingNameFilesThatExist) {
  std::string readme;
  for (const char* page : {"README.md", "README.zh-TW.md", "CONTRIBUTING.md"}) readme += read_file(source_dir() / page);
  const std::regex path("`((?:include|lib|kernels|examples|tests|cmake|benchmarks)/[A-Za-z0-9_./-]+)`");
  int n_paths = 0;
  for (std::sregex_iterator it(readme.begin(), readme.end(), path), end; it != end; ++it, ++n_paths) {
    EXPECT_TRUE(std::filesystem::exists(source_dir() / (*it)[1].str())) << (*it)[1].str();
  }
  EXPECT_GT(n_paths, 5);
}

/// The table of families has exactly the architectures that the library opens.
TEST(Readme, ListsTheModelsThatRun) {
  for (const char* page : {"README.md", "README.zh-TW.md"}) {
    const std::string readme = read_file(source_dir() / page);
    const size_t begin = readme.find("| `general.architecture` |"), end = readme.find("\n\n", begin);
    ASSERT_NE(begin, std::string::npos) << page;
    const std::string table = readme.substr(readme.find('\n', begin), end - readme.find('\n', begin));
    std::set<std::string> listed;
    const std::regex name("`([a-z0-9_-]+)`");
    for (std::sregex_iterator it(table.begin(), table.end(), name), none; it != none; ++it)
      listed.insert((*it)[1].str());
    const std::vector<std::string> known = Model::architectures();
    EXPECT_EQ(listed, std::set<std::string>(known.begin(), known.end())) << page;
  }
}

}  // namespace
}  // namespace hearth::testing
