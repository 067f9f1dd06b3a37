// Inputs from reports of other programs' users, with what is right for each: every line of reports/cases.jsonl is a
// command line of the tool and what it must print, write or refuse. The folder's README says what a case may expect.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "support/golden.h"
#include "support/temp_dir.h"
#include "tool/tool_process.h"

namespace {

using hearth::testing::golden_dir;
using hearth::testing::read_file;
using hearth::testing::ToolResult;
using Json = nlohmann::json;

/// Null stands for anything.
bool is_subset(const Json& want, const Json& got) {
  if (want.is_null()) return true;
  if (!want.is_object()) return want == got;
  if (!got.is_object()) return false;
  for (const auto& [key, value] : want.items()) {
    if (!got.contains(key) || !is_subset(value, got[key])) return false;
  }
  return true;
}

std::vector<float> floats_of(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

void expect_near(const std::vector<float>& want, const std::vector<float>& got, double max_nmse) {
  ASSERT_EQ(want.size(), got.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += (double{want[i]} - double{got[i]}) * (double{want[i]} - double{got[i]});
    norm += double{want[i]} * double{want[i]};
  }
  EXPECT_LE(error, max_nmse * norm);
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

/// What a case expects of its output on the terminal.
void check_output(const Json& expect, const ToolResult& result) {
  if (expect.contains("stdout")) {
    EXPECT_EQ(result.out, expect["stdout"].get<std::string>());
  }
  if (expect.contains("stdout_hex")) {
    EXPECT_EQ(hex(result.out), expect["stdout_hex"].get<std::string>());
  }
  if (expect.contains("stderr_lacks")) {
    EXPECT_EQ(result.err.find(expect["stderr_lacks"].get<std::string>()), std::string::npos) << result.err;
  }
  if (!expect.contains("json") && !expect.contains("json_has")) return;
  Json json = Json::parse(result.out, nullptr, false);
  if (expect.contains("json")) {
    EXPECT_TRUE(is_subset(expect["json"], json)) << result.out.substr(0, 400);
  }
  for (const Json& key : expect.value("json_has", Json::array())) {
    ASSERT_TRUE(json.is_object() && json.contains(key.get<std::string>())) << "no " << key;
    json = Json(json[key.get<std::string>()]);
  }
}

void check(const Json& line, const std::filesystem::path& folder) {
  const hearth::testing::TempDir scratch;
  const std::string out = scratch.file("out");
  hearth::testing::ToolRun run{.args = line["args"], .input = line.value("stdin", "")};
  run.folder = folder.string();
  for (std::string& arg : run.args) arg = arg == "{OUT}" ? out : arg;
  const ToolResult result = run_tool(run);
  const Json& expect = line["expect"];
  ASSERT_EQ(result.exit_code, expect["exit"].get<int>()) << result.err;
  check_output(expect, result);
  if (expect.value("no_output_file", false)) {
    EXPECT_FALSE(std::filesystem::exists(out));
  }
  if (expect.contains("logits")) {
    expect_near(floats_of(read_file(folder / expect["logits"])), floats_of(read_file(out)), expect["max_nmse"]);
  }
  if (expect.contains("embedding")) {
    const Json json = Json::parse(result.out);
    expect_near(floats_of(read_file(folder / expect["embedding"])), json["embeddings"][0], expect["max_nmse"]);
  }
}

TEST(GoldenReports, EachGivesWhatItExpects) {
  const auto folder = golden_dir() / "reports";
  std::istringstream cases(read_file(folder / "cases.jsonl"));
  size_t n = 0;
  for (std::string text; std::getline(cases, text);) {
    const Json line = Json::parse(text, nullptr, false);
    ASSERT_TRUE(line.is_object()) << text;
    SCOPED_TRACE(line["case"].get<std::string>());
    check(line, folder);
    ++n;
  }
  if (n == 0) GTEST_SKIP() << "no golden data: " << (folder / "cases.jsonl").string();
}

}  // namespace
