// Every template case of the golden data: the text Jinja2 gives, or a failure where Jinja2 fails.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "hearth/chat_template.h"
#include "tests/support/golden.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kNow = 1768435200;  // 2026-01-15 00:00:00 UTC, as the golden data has it

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::istringstream in(testing::read_file(path));
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(Json::parse(line));
  }
  return lines;
}

Result<std::string> render(const std::string& source, const std::string& variables) {
  auto compiled = ChatTemplate::compile(source);
  if (!compiled) return compiled.error();
  return compiled->render_json(variables, kNow);
}

void check(const Json& expected, const Result<std::string>& got, const std::string& what) {
  if (expected.contains("expected")) {
    ASSERT_TRUE(got.ok()) << what << ": " << got.error().message;
    EXPECT_EQ(*got, expected["expected"].get<std::string>()) << what;
    return;
  }
  if (got.ok()) {
    const bool allowed =
        expected.contains("expected_extended") && *got == expected["expected_extended"].get<std::string>();
    EXPECT_TRUE(allowed) << what << ": gave text, but should fail with: " << expected["error"];
    return;
  }
  EXPECT_FALSE(got.error().message.empty()) << what;
  if (expected["error_kind"] == "raise_exception") {
    EXPECT_EQ(got.error().message, expected["error"].get<std::string>()) << what;
  }
}

TEST(GoldenChat, EveryTemplateCase) {
  const auto folder = testing::golden_dir() / "chat";
  const std::vector<Json> cases = read_lines(folder / "cases.jsonl");
  if (cases.empty()) GTEST_SKIP() << "no chat/cases.jsonl in " << testing::golden_dir();
  std::map<std::string, Result<ChatTemplate>> compiled;
  for (const Json& entry : cases) {
    const std::string name = entry["template"];
    if (!compiled.contains(name)) {
      compiled.emplace(name, ChatTemplate::compile(testing::read_file(folder / name)));
    }
    const Result<ChatTemplate>& tmpl = compiled.at(name);
    const Result<std::string> got =
        tmpl ? tmpl->render_json(entry["vars"].dump(), kNow) : Result<std::string>(tmpl.error());
    check(entry, got, name + " / " + entry["case"].get<std::string>());
  }
}

TEST(GoldenChat, EveryFeature) {
  const auto folder = testing::golden_dir() / "chat";
  const std::vector<Json> features = read_lines(folder / "features.jsonl");
  if (features.empty()) GTEST_SKIP() << "no chat/features.jsonl in " << testing::golden_dir();
  const std::string variables = testing::read_file(folder / "features_vars.json");
  for (const Json& feature : features) {
    const std::string source = feature["source"];
    check(feature, render(source, variables), source);
  }
}

}  // namespace
}  // namespace hearth
