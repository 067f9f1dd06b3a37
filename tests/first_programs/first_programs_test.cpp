// The programs of examples/first_programs, run with the trained model of examples/models; each is shorter than 40
// lines.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "support/golden.h"
#include "support/paths.h"

namespace hearth::testing {
namespace {

const std::string kSource = hearth::testing::source_dir();
const std::string kModel = kSource + "/examples/models/small-world-q8_0.gguf";

struct Said {
  std::string text;  ///< standard output
  int exit_code = -1;
};

/// Runs a shell line in which %P is the folder of the programs and %M the model.
Said run(std::string line) {
  for (const auto& [mark, value] :
       {std::pair<std::string, std::string>{"%P", hearth::testing::first_programs_folder()}, {"%M", kModel}}) {
    for (size_t at; (at = line.find(mark)) != std::string::npos;) line.replace(at, mark.size(), value);
  }
  Said said;
  FILE* pipe = popen(line.c_str(), "r");
  if (!pipe) return said;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.text.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) said.exit_code = WEXITSTATUS(status);
  return said;
}

TEST(FirstPrograms, AreShort) {
  int n_programs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSource + "/examples/first_programs")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string code = read_file(entry.path());
    EXPECT_LT(std::count(code.begin(), code.end(), '\n'), 40) << entry.path();
    ++n_programs;
  }
  EXPECT_EQ(n_programs, 5);
}

TEST(FirstPrograms, NameAMissingFile) {
  for (const char* name : {"chat", "two_sequences", "custom_stage", "cancel", "search"}) {
    const Said said = run("%P" + std::string(name) + " no-such.gguf x 2>&1 < /dev/null");
    EXPECT_EQ(said.exit_code, 1) << name;
    EXPECT_NE(said.text.find("no-such.gguf"), std::string::npos) << said.text;
  }
}

TEST(FirstPrograms, ChatRemembersWhatWasSaid) {
  const Said said = run("printf 'Hello\\nTell me a story about Anna and a kite.\\n' | %Pchat %M");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(std::count(said.text.begin(), said.text.end(), '\n'), 2) << said.text;
  EXPECT_NE(said.text.find("Anna"), std::string::npos) << said.text;
}

TEST(FirstPrograms, TwoSequencesWriteTwoTexts) {
  const Said said = run("%Ptwo_sequences %M");
  EXPECT_EQ(said.exit_code, 0);
  const std::string alone = run("%Ptwo_sequences %M").text;
  EXPECT_EQ(said.text, alone) << "seeded: the same each time";
  const size_t second = said.text.find("\ndrawn:");
  ASSERT_NE(second, std::string::npos) << said.text;
  EXPECT_GT(second, std::string("likeliest:").size() + 20) << said.text;
  EXPECT_GT(said.text.size() - second, 28u) << said.text;
}

TEST(FirstPrograms, SearchFindsTheLineItself) {
  const Said said = run("printf 'a kite in the wind\\nthe cat sat\\nbread and milk\\n' | %Psearch %M 'the cat sat'");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(std::count(said.text.begin(), said.text.end(), '\n'), 3);
  EXPECT_NE(said.text.substr(0, said.text.find('\n')).find("\tthe cat sat"), std::string::npos) << said.text;
}

TEST(FirstPrograms, ACustomStageForbidsALetter) {
  for (const char* letter : {"o", "e"}) {
    const Said said = run("%Pcustom_stage %M " + std::string(letter));
    EXPECT_EQ(said.exit_code, 0);
    EXPECT_GT(said.text.size(), 10u);
    EXPECT_EQ(said.text.find(letter), std::string::npos) << said.text;
  }
}

TEST(FirstPrograms, CancelShowsProgressAndStopsAtASignal) {
  const Said said = run("yes 'Once upon a time' | head -n 30 | %Pcancel %M 2>&1");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_NE(said.text.find("loading 100%"), std::string::npos) << said.text;
  EXPECT_NE(said.text.find("prompt 64/"), std::string::npos) << said.text;
  EXPECT_NE(said.text.find("(0."), std::string::npos) << said.text;
  // The signal comes while it waits for its prompt: the call ends at once with an error that says so.
  const Said stopped =
      run("mkfifo /tmp/first.$$; %Pcancel %M < /tmp/first.$$ 2>&1 & exec 3> /tmp/first.$$; sleep 0.5; kill -INT $!; "
          "echo text >&3; exec 3>&-; wait $!; status=$?; rm /tmp/first.$$; exit $status");
  EXPECT_EQ(stopped.exit_code, 1) << stopped.text;
  EXPECT_NE(stopped.text.find("cancelled"), std::string::npos) << stopped.text;
}

}  // namespace
}  // namespace hearth::testing
