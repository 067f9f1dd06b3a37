// The types that each mix gives each tensor, against the golden tables.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "hearth/quantizer.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace hearth {
namespace {

using nlohmann::json;

std::vector<std::string> tables() {
  std::vector<std::string> names;
  for (const auto& path : testing::golden_files("mixes", ".json")) {
    if (path.stem() != "index") names.push_back(path.stem().string());
  }
  if (names.empty()) names.push_back("absent");
  return names;
}

/// A file of the full size whose data are a hole, where the table's model is only a header.
std::string source_of(const json& table, const testing::TempDir& dir) {
  const std::string model = table["model"];
  if (!model.ends_with(".head.gguf")) return testing::golden_dir() / "models" / std::filesystem::path(model).filename();
  const std::string path = dir.path() / "source.gguf";
  std::filesystem::copy_file(testing::golden_dir() / "mixes" / model, path);
  std::filesystem::resize_file(path, table["file_bytes"].get<uint64_t>());
  return path;
}

/// The options of a run as the table writes them.
QuantizeOptions options_of(const json& run, bool with_matrix, const ImportanceMatrix& matrix) {
  QuantizeOptions options;
  options.type = run["ftype"];
  options.requantize = true;
  if (with_matrix) options.importance = &matrix;
  const std::string text = run.value("options", "");
  const std::string tensor_type = "tensor_type:";
  if (text == "pure") options.pure = true;
  if (text == "leave_output") options.keep_output = true;
  if (text == "output_q8_0") options.output_type = TensorType::kQ8_0;
  if (text == "embedding_q3_K") options.embedding_type = TensorType::kQ3_K;
  if (text.starts_with(tensor_type)) {
    const size_t at = text.rfind('=');
    const auto type = parse_tensor_type(text.substr(at + 1));
    EXPECT_TRUE(type);
    options.overrides.push_back({text.substr(tensor_type.size(), at - tensor_type.size()), *type});
  }
  return options;
}

class GoldenMixes : public ::testing::TestWithParam<std::string> {
 protected:
  void check(const json& table, const json& run, bool with_matrix, const std::string& source) {
    const ImportanceMatrix matrix;
    const std::string what =
        run["ftype"].get<std::string>() + " " + run.value("options", "") + " matrix " + std::to_string(with_matrix);
    const auto quantizer = Quantizer::open(source, options_of(run, with_matrix, matrix));
    ASSERT_EQ(quantizer.ok(), !run.contains("error")) << what << ": " << quantizer.error().message;
    if (!quantizer) return;
    const json& tensors = table["tensors"];
    ASSERT_EQ(quantizer->plan().size(), tensors.size());
    const std::string letters = run["types"];
    size_t wrong = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const TensorPlan& p = quantizer->plan()[i];
      EXPECT_EQ(p.name, tensors[i][0].get<std::string>());
      const std::string expected = table["legend"][letters.substr(i, 1)];
      if (expected == tensor_type_info(p.target)->name) continue;
      if (++wrong < 4)
        ADD_FAILURE() << what << ": " << p.name << " " << tensor_type_info(p.target)->name << ", not " << expected;
    }
    EXPECT_EQ(wrong, 0u) << what;
    EXPECT_EQ(quantizer->target_bytes(), run["tensor_bytes"].get<uint64_t>()) << what;
    // Types that were asked for although rows do not divide are refused as well; the tables do not say so.
    if (!with_matrix && (run.contains("refused_without_imatrix") || !run.contains("options"))) {
      EXPECT_EQ(quantizer->check().ok(), !run.contains("refused_without_imatrix")) << what;
    }
  }
};

TEST_P(GoldenMixes, GiveTheRecordedTypes) {
  const std::string text = testing::read_file(testing::golden_dir() / "mixes" / (GetParam() + ".json"));
  if (text.empty()) GTEST_SKIP() << "no golden data";
  const json table = json::parse(text);
  const testing::TempDir dir;
  const std::string source = source_of(table, dir);
  for (const json& run : table["runs"]) {
    const bool either = run["imatrix"] == "either";
    if (either || run["imatrix"] == false) check(table, run, false, source);
    if (either || run["imatrix"] == true) check(table, run, true, source);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenMixes, ::testing::ValuesIn(tables()), [](const auto& each) {
  std::string name = each.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

}  // namespace
}  // namespace hearth
