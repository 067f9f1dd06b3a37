// Every case of the golden grammars: what loads, and how far each text goes.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "hearth/grammar.h"
#include "tests/support/golden.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::istringstream in(testing::read_file(path));
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(Json::parse(line));
  }
  return lines;
}

/// Code points that end within the first `n_bytes`.
size_t whole_characters(const std::string& text, size_t n_bytes) {
  size_t n = 0;
  for (size_t i = 0; i < n_bytes; ++i) n += i + 1 == text.size() || (text[i + 1] & 0xC0) != 0x80;
  return n;
}

TEST(GoldenGrammars, EveryTextGoesAsFarAsItShould) {
  const auto folder = testing::golden_dir() / "grammars";
  const std::vector<Json> cases = read_lines(folder / "cases.jsonl");
  if (cases.empty()) GTEST_SKIP() << "no grammars/cases.jsonl in " << testing::golden_dir();
  std::map<std::string, Result<Grammar>> grammars;
  for (const Json& entry : cases) {
    const std::string source = entry.contains("grammar_text")
                                   ? entry["grammar_text"].get<std::string>()
                                   : testing::read_file(folder / entry["grammar"].get<std::string>());
    if (!grammars.contains(source)) grammars.emplace(source, Grammar::from_gbnf(source));
    const Result<Grammar>& grammar = grammars.at(source);
    ASSERT_TRUE(grammar.ok()) << grammar.error().message << "\n" << source;
    const std::string text = entry["text"];
    const auto match = grammar->match(text);
    ASSERT_TRUE(match.ok()) << match.error().message;
    const std::string what = source + "\n--- " + entry.dump();
    const std::string expected = entry["result"];
    if (expected == "reject") {
      ASSERT_LT(match->taken, text.size()) << what;
      EXPECT_EQ(whole_characters(text, match->taken), entry["taken"].get<size_t>()) << what;
    } else {
      EXPECT_EQ(match->taken, text.size()) << what;
      EXPECT_EQ(match->can_end, expected == "accept") << what;
    }
  }
}

TEST(GoldenGrammars, EveryVerdictOfLoading) {
  const std::vector<Json> cases = read_lines(testing::golden_dir() / "grammars" / "parse.jsonl");
  if (cases.empty()) GTEST_SKIP() << "no grammars/parse.jsonl in " << testing::golden_dir();
  for (const Json& entry : cases) {
    const auto grammar = Grammar::from_gbnf(entry["grammar_text"].get<std::string>());
    EXPECT_EQ(grammar.ok(), entry["loads"].get<bool>())
        << entry.dump() << (grammar ? "" : "\n" + grammar.error().message);
  }
}

}  // namespace
}  // namespace hearth
