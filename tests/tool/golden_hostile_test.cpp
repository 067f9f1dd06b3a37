// Every file of the folder golden/hostile, as the tool meets it: it ends by itself, without a signal, within 20 s of
// processor time; what it refuses it refuses in one line; nothing of a file reaches the terminal as it is. A file
// of a kind that has no rule here fails, so that none is passed over.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace {

using hearth::testing::golden_dir;
using hearth::testing::read_file;
using hearth::testing::TempDir;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
constexpr int kMostSeconds = 200;
#else
constexpr bool kIsSanitized = false;
constexpr int kMostSeconds = 20;
#endif

/// A word of the shell's language that stands for the text.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

/// Runs a command of bash; its exit status, or 128 and more when a signal ended it.
int shell(const std::string& command) {
  const int status = std::system(("bash -c " + shell_word(command)).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// What a terminal would take for more than text.
bool has_controls(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f;
  });
}

/// Runs the tool with arguments that are ready for a shell, and checks how it ends; its exit status.
int expect_ends(const TempDir& dir, const std::string& arguments) {
  const std::string out = dir.file("out"), err = dir.file("err");
  const int status = shell("ulimit -c 0; ulimit -t " + std::to_string(kMostSeconds) + "; exec " +
                           shell_word(hearth::testing::tool_path()) + " " + arguments + " >" + shell_word(out) + " 2>" +
                           shell_word(err));
  const std::string said = read_file(err);
  EXPECT_LE(status, 2) << arguments << '\n' << said;
  EXPECT_FALSE(has_controls(said)) << arguments << '\n' << said;
  EXPECT_FALSE(has_controls(read_file(out))) << arguments;
  if (status > 0) {
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << arguments << '\n' << said;
    EXPECT_LT(said.size(), 600u) << arguments;
  }
  return status;
}

void check_model(const TempDir& dir, const std::string& path) {
  const std::string text = dir.write("text.jsonl", "{\"text\": \"" + std::string(100000, 'a') + "\"}\n");
  const std::string prompt = dir.write("prompt.txt", std::string(3000, 'a') + " hello world, some more words");
  expect_ends(dir, "inspect " + path);
  expect_ends(dir, "inspect " + path + " --plan");
  expect_ends(dir, "tokenize " + path + " --jsonl <" + shell_word(text));
  expect_ends(dir, "run " + path + " -f " + shell_word(prompt) + " -n 1 --greedy");
  expect_ends(dir, "embed " + path + " hello </dev/null");
}

/// False when there is no rule for such a file.
bool check_file(const TempDir& dir, const std::filesystem::path& file) {
  std::string name = file.filename().string(), path = file.string();
  if (name.ends_with(".gz")) {
    name.resize(name.size() - 3);
    path = dir.file(name);
    if (shell("gzip -dc " + shell_word(file.string()) + " >" + shell_word(path)) != 0) return false;
  }
  if (name.ends_with(".gguf")) {
    check_model(dir, shell_word(path));
  } else if (name.starts_with("template-") && name.ends_with(".jsonl")) {
    expect_ends(dir, "template --jsonl <" + shell_word(path));
  } else if (name.starts_with("messages-") && name.ends_with(".json")) {
    const std::string model = shell_word((golden_dir() / "models" / "llama3-gqa.gguf").string());
    EXPECT_GE(expect_ends(dir, "template " + model + " --messages " + shell_word(path)), 1) << name;
  } else if (name.ends_with(".sh")) {
    if (kIsSanitized) return true;  // it limits memory and time
    const std::string report = dir.file("report");
    const int failures =
        shell("HEARTH=" + shell_word(hearth::testing::tool_path()) + " GOLDEN=" + shell_word(golden_dir().string()) +
              " bash " + shell_word(path) + " >" + shell_word(report) + " 2>&1");
    EXPECT_EQ(failures, 0) << read_file(report);
  } else {
    return name.ends_with(".md") || name.ends_with(".cpp");  // programs of their own
  }
  return true;
}

TEST(GoldenHostileTool, EveryFileOfTheFolder) {
  const auto files = hearth::testing::golden_files("hostile", "");
  if (files.empty()) GTEST_SKIP() << "no files in " << (golden_dir() / "hostile");
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename().string());
    const TempDir dir;
    EXPECT_TRUE(check_file(dir, file)) << "no rule for this kind of file";
  }
}

}  // namespace
