// How well encoders encode, against the errors recorded of another program's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/encoders.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/golden.h"

namespace hearth {
namespace {

using nlohmann::json;

constexpr double kSlack = 1.001;

json index_of(const std::string& folder) {
  const std::string text = testing::read_file(testing::golden_dir() / folder / "index.json");
  return text.empty() ? json() : json::parse(text);
}

std::vector<float> floats_of(const std::string& folder, const std::string& name) {
  const std::string bytes = testing::read_file(testing::golden_dir() / folder / name);
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

int type_index(const std::string& name) {
  for (int i = 0; i < kernels::kTypeCount; ++i) {
    if (name == testing::kTypeNames[i]) return i;
  }
  return -1;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  const json index = index_of("encode");
  if (index.is_null()) return {"absent"};
  for (const json& type : index["types"]) names.push_back(type["name"]);
  return names;
}

/// sqrt(sum of w (x - y)^2 / sum of w) of an encoded row; infinite when a value is.
double error_of(int index, const float* x, const float* w, int64_t n) {
  const kernels::TypeKernels& type = kernels::kernels().types[index];
  std::vector<uint8_t> blocks(static_cast<size_t>(n / type.block_size * type.block_bytes));
  std::vector<float> y(static_cast<size_t>(n));
  kernels::encoders().encode[index](blocks.data(), x, w, n);
  type.dequantize(y.data(), blocks.data(), n);
  double sum = 0, weights = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double difference = double{x[i]} - double{y[static_cast<size_t>(i)]}, weight = w != nullptr ? w[i] : 1.0f;
    sum += weight * difference * difference;
    weights += weight;
  }
  return std::isfinite(sum) ? std::sqrt(sum / weights) : std::numeric_limits<double>::infinity();
}

class GoldenEncode : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenEncode, ErrsNoMoreThanRecorded) {
  const json index = index_of("encode");
  if (index.is_null()) GTEST_SKIP() << "no golden data";
  const std::vector<float> rows = floats_of("encode", "rows.f32"), weights = floats_of("encode", "weights.f32");
  const int64_t n = index["n_cols"];
  const int type = type_index(GetParam());
  for (const json& entry : index["types"]) {
    if (entry["name"] != GetParam()) continue;
    for (const json& encoding : entry["encodings"]) {
      const std::string importance = encoding["importance"];
      const float* w = importance[0] == 'w' ? weights.data() + n * (importance[1] - '0') : nullptr;
      const json& recorded = encoding[w != nullptr ? "wrmse_" + importance : "rmse"];
      for (size_t r = 0; r < recorded.size(); ++r) {
        const double error = error_of(type, rows.data() + n * static_cast<int64_t>(r), w, n);
        const std::string kind = index["rows"][r]["kind"];
        ASSERT_TRUE(std::isfinite(error)) << importance << " row " << r << " " << kind;
        if (recorded[r].is_null()) continue;
        EXPECT_LE(error, recorded[r].get<double>() * kSlack)
            << importance << " row " << r << " " << kind << ", recorded " << recorded[r];
      }
    }
  }
}

TEST_P(GoldenEncode, ErrsNoMoreThanRecordedWithTheBlocksThemselves) {
  const json index = index_of("quants");
  if (index.is_null()) GTEST_SKIP() << "no golden data";
  const std::vector<float> rows = floats_of("quants", "inputs.f32"), weights = floats_of("quants", "imatrix.f32");
  const kernels::TypeKernels& type = kernels::kernels().types[type_index(GetParam())];
  for (const json& entry : index["types"]) {
    if (entry["name"] != GetParam()) continue;
    const std::string bytes = testing::read_file(testing::golden_dir() / "quants" / (GetParam() + ".bin"));
    for (const json& section : entry["sections"]) {
      const std::string name = section["name"];
      if (name != "quant" && name != "quant_imatrix") continue;
      const float* w = name == "quant_imatrix" ? weights.data() : nullptr;
      for (int64_t r = 0; r < 3; ++r) {  // row 3 is of edge cases
        const float* x = rows.data() + 1024 * r;
        std::vector<float> y(1024);
        type.dequantize(
            y.data(), bytes.data() + section["offset"].get<size_t>() + r * (1024 / type.block_size) * type.block_bytes,
            1024);
        double sum = 0, all = 0;
        for (size_t i = 0; i < y.size(); ++i) {
          const double difference = double{x[i]} - double{y[i]}, weight = w != nullptr ? w[i] : 1.0f;
          sum += weight * difference * difference;
          all += weight;
        }
        EXPECT_LE(error_of(type_index(GetParam()), x, w, 1024), std::sqrt(sum / all) * kSlack) << name << " row " << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenEncode, ::testing::ValuesIn(type_names()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace hearth
