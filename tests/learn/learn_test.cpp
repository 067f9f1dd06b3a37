// The pages of examples/learn tell the truth: their programs print what the pages show, what a page names exists, the
// two languages are in step, and every program is short.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "hearth/cpu.h"
#include "support/golden.h"
#include "support/learn_folder.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = source_dir();
const fs::path kLearn = kSource / "examples" / "learn";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Every page in English: examples/learn/**/*.md but for the translations.
std::vector<fs::path> pages() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kLearn)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".md") && !name.ends_with(".zh-TW.md")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// A fenced block of a page: what stands behind the fence, and its lines.
struct Block {
  std::string info;
  std::vector<std::string> lines;
};

std::vector<Block> blocks_of(const std::string& page) {
  std::vector<Block> blocks;
  bool inside = false;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```")) {
      if (!inside) blocks.push_back({line.substr(3), {}});
      inside = !inside;
    } else if (inside) {
      blocks.back().lines.push_back(line);
    }
  }
  EXPECT_FALSE(inside) << "a fence is not closed";
  return blocks;
}

/// Says where two lines differ; numbers may differ by `tolerance` (relative), or freely if it is infinite. Empty:
/// equal.
std::string difference(const std::string& shown, const std::string& printed, double tolerance) {
  static const std::regex number(R"([-+]?\d+(\.\d+)?([eE][-+]?\d+)?)");
  if (shown == printed) return "";
  const auto words = [](const std::string& line) {
    // A number takes more or fewer blanks when it has other digits.
    return std::regex_replace(std::regex_replace(line, number, "#"), std::regex(" +"), " ");
  };
  if (words(shown) != words(printed)) return "other words";
  auto a = std::sregex_iterator(shown.begin(), shown.end(), number);
  auto b = std::sregex_iterator(printed.begin(), printed.end(), number);
  for (; a != std::sregex_iterator() && b != std::sregex_iterator(); ++a, ++b) {
    const double x = std::stod(a->str()), y = std::stod(b->str());
    if (std::abs(x - y) > tolerance * std::max(std::abs(x), std::abs(y))) return a->str() + " became " + b->str();
  }
  return "";
}

struct Ran {
  std::vector<std::string> lines;
  int exit_code = -1;
};

Ran run_in(const fs::path& folder, const std::string& command) {
  Ran ran;
  FILE* pipe = popen(("cd '" + folder.string() + "' && (" + command + ") 2>&1 < /dev/null").c_str(), "r");
  if (!pipe) return ran;
  std::string text;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
  ran.lines = lines_of(text);
  return ran;
}

/// The tolerance that a block's fence states: ```console 0.01, ```console free; without one: the digits shown.
double tolerance_of(const std::string& info) {
  const std::string stated = info.substr(std::string("console").size());
  if (stated.find("free") != std::string::npos) return INFINITY;
  return stated.find_first_of("0123456789") == std::string::npos ? 0.0 : std::stod(stated);
}

/// Whether what a block needs is here: the tool, where it runs it; for ```console real the weights that `./setup.sh
/// real` fetches into the folder HEARTH_REAL.
bool can_run(const Block& block) {
  const bool uses_tool = !block.lines.empty() && block.lines[0].find("build/hearth ") != std::string::npos;
  if (uses_tool && tool_path().empty()) return false;
  return block.info.find("real") == std::string::npos || std::getenv("HEARTH_REAL") != nullptr;
}

/// Runs a page's ```console blocks as a reader would, from a folder that looks like the checkout with its build, and
/// compares what is printed. Pictures that the programs leave there must be those of the page's folder.
void check_page(const fs::path& page) {
  SCOPED_TRACE(page.string());
  TempDir place;
  const fs::path folder(place.path());
  fs::create_directories(folder / "build" / "examples");
  for (const char* name : {"examples", "include", "tests"}) fs::create_directory_symlink(kSource / name, folder / name);
  fs::create_directory_symlink(learn_folder(), folder / "build" / "examples" / "learn");
  if (!tool_path().empty()) fs::create_symlink(tool_path(), folder / "build" / "hearth");
  std::string left_out;  // commands that did not run: what uses a file of theirs cannot either
  for (const Block& block : blocks_of(read_file(page))) {
    if (!block.info.starts_with("console")) continue;
    const std::string& first = block.lines.at(0);
    if (!can_run(block) || left_out.find(first.substr(first.rfind(' '))) != std::string::npos) {
      for (const std::string& line : block.lines) left_out += line;
      continue;
    }
    const double tolerance = tolerance_of(block.info);
    for (size_t i = 0; i < block.lines.size();) {
      ASSERT_TRUE(block.lines[i].starts_with("$ ")) << "a console block begins with a command: " << block.lines[i];
      const std::string command = block.lines[i++].substr(2);
      SCOPED_TRACE(command);
      const Ran ran = run_in(folder, command);
      EXPECT_EQ(ran.exit_code, 0);
      for (size_t line = 0; i < block.lines.size() && !block.lines[i].starts_with("$ "); ++i) {
        if (block.lines[i] == "...") {  // left out: up to the next line of the page
          ++i;
          if (i == block.lines.size() || block.lines[i].starts_with("$ ")) break;
          while (line < ran.lines.size() && difference(block.lines[i], ran.lines[line], tolerance) != "") ++line;
        }
        ASSERT_LT(line, ran.lines.size()) << "the page shows more: " << block.lines[i];
        EXPECT_EQ(difference(block.lines[i], ran.lines[line], tolerance), "")
            << "the page: " << block.lines[i] << "\nprinted:  " << ran.lines[line];
        ++line;
      }
    }
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".svg") continue;
    const fs::path kept = page.parent_path() / entry.path().filename();
    ASSERT_TRUE(fs::exists(kept)) << kept << " is made by a program and not kept";
    EXPECT_LT(fs::file_size(kept), 60000u) << kept;
    // The same picture but for what was measured.
    const std::vector<std::string> shown = lines_of(read_file(kept)), drawn = lines_of(read_file(entry.path()));
    ASSERT_EQ(shown.size(), drawn.size()) << kept;
    for (size_t i = 0; i < shown.size(); ++i) EXPECT_EQ(difference(shown[i], drawn[i], INFINITY), "") << kept;
  }
}

TEST(Learn, ProgramsPrintWhatThePagesShow) {
  if (learn_folder().empty()) GTEST_SKIP() << "the lessons' programs are not built";
  // The pages show what activations of 8 bits give; matrix tiles round prompts less.
  const char* narrow = "";
  for (const hearth::IsaInfo& isa : hearth::list_isas()) {
    if (isa.usable && !isa.wide_products) narrow = isa.name;
    if (isa.active && isa.wide_products) setenv("HEARTH_ISA", narrow, 1);
  }
  for (const fs::path& page : pages()) check_page(page);
  unsetenv("HEARTH_ISA");
}

TEST(Learn, ProgramsAreShort) {
  int n = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kLearn)) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h") continue;
    EXPECT_LT(lines_of(read_file(entry.path())).size(), 150u) << entry.path();
    ++n;
  }
  EXPECT_GT(n, 1);
}

/// Links of a page: [text](target), but those into the network and within the page.
std::vector<std::pair<std::string, std::string>> links_of(const std::string& page) {
  static const std::regex link(R"(\[([^\]]*)\]\(([^)#]+)(#[^)]*)?\))");
  std::vector<std::pair<std::string, std::string>> links;
  for (auto it = std::sregex_iterator(page.begin(), page.end(), link); it != std::sregex_iterator(); ++it) {
    if (!(*it)[2].str().starts_with("http")) links.emplace_back((*it)[1], (*it)[2]);
  }
  return links;
}

// A link that reads [`name` in `file`](path) promises that the file has that name.
TEST(Learn, WhatAPageNamesExists) {
  static const std::regex promise("`([^`]+)` (in|：)");
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(kLearn)) {
    if (entry.path().extension() == ".md") all.push_back(entry.path());
  }
  int n_names = 0;
  for (const fs::path& page : all) {
    SCOPED_TRACE(page.string());
    for (const auto& [text, target] : links_of(read_file(page))) {
      const fs::path path = page.parent_path() / target;
      EXPECT_TRUE(fs::exists(path)) << target;
      std::smatch match;
      if (!std::regex_search(text, match, promise) || !fs::is_regular_file(path)) continue;
      const std::string name = match[1].str().substr(0, match[1].str().find('('));
      EXPECT_NE(read_file(path).find(name), std::string::npos) << name << " is not in " << target;
      ++n_names;
    }
  }
  EXPECT_GT(n_names, 5);
}

// Every question is answered with a place in the code.
TEST(Learn, QuestionsLinkIntoTheCode) {
  static const std::regex promise(R"(\[`\w+` in `[\w./]+`\]\()");
  std::string question;
  int n = 0, n_links = 1;
  for (const std::string& line : lines_of(read_file(kLearn / "questions.md") + "## \n")) {
    n_links += std::regex_search(line, promise) ? 1 : 0;
    if (!line.starts_with("## ")) continue;
    EXPECT_GT(n_links, 0) << question;
    question = line;
    n_links = 0;
    ++n;
  }
  EXPECT_GT(n, 15);
}

// Files that a page names in passing (`panel.h`, `lib/model/forward.cpp`) are beside it, in the repository, or headers.
TEST(Learn, FilesThatAPageNamesExist) {
  static const std::regex file(R"(`([\w./-]+\.(cpp|h|md|jsonl|svg))`)");
  int n = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kLearn)) {
    if (entry.path().extension() != ".md") continue;
    const std::string page = read_file(entry.path());
    for (auto it = std::sregex_iterator(page.begin(), page.end(), file); it != std::sregex_iterator(); ++it, ++n) {
      const std::string name = (*it)[1];
      const auto has = [&](const fs::path& folder) { return fs::exists(folder / name); };
      EXPECT_TRUE(has(entry.path().parent_path()) || has(kSource) || has(kSource / "include" / "hearth") ||
                  has(kSource / "examples" / "first_programs"))
          << entry.path() << " names " << name;
    }
  }
  EXPECT_GT(n, 10);
}

/// Every line of code that a reader of the lessons may be sent to.
std::string code_of_the_repository() {
  std::string code;
  for (const fs::path& folder : {kSource / "include", kSource / "lib", kSource / "kernels", kSource / "examples"}) {
    for (auto it = fs::recursive_directory_iterator(folder); it != fs::recursive_directory_iterator(); ++it) {
      if (it->path().filename() == "node_modules") it.disable_recursion_pending();
      const std::string kind = it->path().extension().string();
      if (it->is_regular_file() && (kind == ".h" || kind == ".cpp")) code += read_file(it->path());
    }
  }
  return code;
}

// Functions and members that a page names in passing (`ask()`, `ModelOptions::prefetch`): each part is a word of the
// code.
TEST(Learn, FunctionsThatAPageNamesExist) {
  static const std::regex named(R"(`((?:\w+(?:::|\.|->))*\w+)\([^`]*\)`|`(\w+(?:::\w+)+)`)"), word(R"(\w+)");
  const std::string code = code_of_the_repository();
  const std::set<std::string> words = [&] {
    std::set<std::string> all;
    for (auto it = std::sregex_iterator(code.begin(), code.end(), word); it != std::sregex_iterator(); ++it) {
      all.insert(it->str());
    }
    return all;
  }();
  int n = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kLearn)) {
    if (entry.path().extension() != ".md") continue;
    const std::string page = read_file(entry.path());
    for (auto it = std::sregex_iterator(page.begin(), page.end(), named); it != std::sregex_iterator(); ++it, ++n) {
      const std::string name = (*it)[1].str() + (*it)[2].str();
      for (auto part = std::sregex_iterator(name.begin(), name.end(), word); part != std::sregex_iterator(); ++part) {
        EXPECT_TRUE(words.contains(part->str())) << entry.path() << " names " << name;
      }
    }
  }
  EXPECT_GT(n, 10);
}

/// The numbers of a line of a table, sorted: another language may name them in another order.
std::string figures_of(const std::string& line) {
  static const std::regex number(R"(\d+(\.\d+)?(e[-+]?\d+)?)");
  std::vector<std::string> figures;
  for (auto it = std::sregex_iterator(line.begin(), line.end(), number); it != std::sregex_iterator(); ++it) {
    figures.push_back(it->str());
  }
  std::sort(figures.begin(), figures.end());
  std::string all = "|";
  for (const std::string& figure : figures) all += " " + figure;
  return all;
}

/// What must agree between a page and its translation: the levels of headings, in order, every block, and the figures
/// of tables.
std::string skeleton(const std::string& page) {
  std::string bones;
  bool inside = false;
  for (const std::string& line : lines_of(page)) {
    const bool fence = line.starts_with("```");
    if (fence || inside) bones += line + "\n";
    if (fence) inside = !inside;
    if (!inside && line.starts_with("#")) bones += line.substr(0, line.find(' ')) + "\n";
    if (!inside && line.starts_with("|")) bones += figures_of(line) + "\n";
  }
  std::vector<std::string> targets;
  for (const auto& [text, target] : links_of(page)) {
    targets.push_back(target);
    const size_t language = target.find(".zh-TW.");
    if (language != std::string::npos) targets.back().erase(language, 6);
  }
  std::sort(targets.begin(), targets.end());
  for (const std::string& target : targets) bones += target + "\n";
  return bones;
}

TEST(Learn, TranslationsAreInStep) {
  std::vector<fs::path> translated = pages();
  translated.push_back(kSource / "README.md");
  for (const fs::path& page : translated) {
    const fs::path translation = page.parent_path() / (page.stem().string() + ".zh-TW.md");
    ASSERT_TRUE(fs::exists(translation)) << translation;
    const auto bones = lines_of(skeleton(read_file(page))), others = lines_of(skeleton(read_file(translation)));
    const auto [at, other] = std::mismatch(bones.begin(), bones.end(), others.begin(), others.end());
    EXPECT_TRUE(at == bones.end() && other == others.end())
        << translation << "\nthe first that differs: " << (at == bones.end() ? "(the end)" : *at)
        << "\nin the translation:       " << (other == others.end() ? "(the end)" : *other);
  }
}

TEST(Learn, TheComparisonFindsWhatDiffers) {
  EXPECT_EQ(difference("7 tokens", "7 tokens", 0), "");
  EXPECT_NE(difference("7 tokens", "8 tokens", 0.1), "");
  EXPECT_EQ(difference("  9.99 ms", " 10.01 ms", 0.01), "");
  EXPECT_EQ(difference("1.5 s", "700 s", INFINITY), "");
  EXPECT_NE(difference("1.5 s", "1.5 ms", INFINITY), "");
}

}  // namespace
}  // namespace hearth::testing
