// Caches of every pair of types of the golden folder: the error of logits against entries of f32, at most 1.1 times the
// one that is recorded for the same pair.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "support/golden.h"
#include "support/paths.h"

namespace {

using hearth::KVType;
using hearth::testing::golden_files;

constexpr double kSlack = 1.1;

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& path : golden_files("kv", ".cells.json")) {
    const std::string file = path.filename().string();
    names.push_back(file.substr(0, file.size() - std::strlen(".cells.json")));
  }
  if (names.empty()) names.emplace_back();  // one test that reports the absence
  return names;
}

class GoldenKvTypes : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam().empty()) GTEST_SKIP() << "no golden caches in " << hearth::testing::golden_dir();
    const auto folder = hearth::testing::golden_dir() / "kv";
    json_ = nlohmann::json::parse(hearth::testing::read_file(folder / (GetParam() + ".cells.json")));
    std::filesystem::path path = folder / json_["model"].get<std::string>();
    if (!std::filesystem::exists(path)) {
      path = std::filesystem::path(hearth::testing::source_dir()) / "examples" / "models" / path.filename();
    }
    auto model = hearth::Model::open(path.string());
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
    tokens_ = json_["tokens"].get<std::vector<hearth::Token>>();
  }

  /// Logits of all tokens, in batches as the folder has them.
  std::vector<float> run(KVType k, KVType v) const {
    const auto step = static_cast<size_t>(json_["batch"].get<int>());
    auto session = hearth::Session::create(*model_, {.n_ctx = 256,
                                                     .n_logits = static_cast<int32_t>(step),
                                                     .k_type = k,
                                                     .v_type = v,
                                                     .n_threads = 2,
                                                     .exact_products = true});
    EXPECT_TRUE(session) << session.error().message;
    std::vector<float> logits;
    for (size_t at = 0; at < tokens_.size(); at += step) {
      std::vector<hearth::BatchToken> batch;
      for (size_t i = at; i < std::min(tokens_.size(), at + step); ++i) {
        batch.push_back({tokens_[i], static_cast<int32_t>(i), 0, true});
      }
      const auto status = session->decode(batch);
      EXPECT_TRUE(status) << status.error().message;
      for (size_t i = 0; i < batch.size(); ++i) {
        logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
      }
    }
    return logits;
  }

  struct Error {
    double all, row_median;
  };
  Error error(const std::vector<float>& expected, const std::vector<float>& actual) const {
    const size_t width = expected.size() / tokens_.size();
    std::vector<double> rows;
    double error = 0, norm = 0;
    for (size_t t = 0; t < tokens_.size(); ++t) {
      double e = 0, n = 0;
      for (size_t i = t * width; i < (t + 1) * width; ++i) {
        e += (double{expected[i]} - double{actual[i]}) * (double{expected[i]} - double{actual[i]});
        n += double{expected[i]} * double{expected[i]};
      }
      rows.push_back(e / n);
      error += e;
      norm += n;
    }
    std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2), rows.end());
    return {error / norm, rows[rows.size() / 2]};
  }

  nlohmann::json json_;
  std::optional<hearth::Model> model_;
  std::vector<hearth::Token> tokens_;
};

/// The best that is recorded of a pair: with flash attention or without, rotated or not, is not told apart here.
TEST_P(GoldenKvTypes, EveryPairErrsAsLittleAsRecorded) {
  const std::vector<float> exact = run(KVType::kF32, KVType::kF32);
  std::map<std::pair<std::string, std::string>, nlohmann::json> pairs;
  for (const auto& pair : json_["pairs"]) {
    const auto key = std::pair(pair["k"].get<std::string>(), pair["v"].get<std::string>());
    if (pair.contains("refused") || !pair.value("rotation_allowed", true)) continue;
    if (!pairs.count(key) || pair["nmse"].get<double>() > pairs[key]["nmse"].get<double>()) pairs[key] = pair;
  }
  for (const auto& [key, pair] : pairs) {
    const auto k = hearth::parse_kv_type(key.first), v = hearth::parse_kv_type(key.second);
    ASSERT_TRUE(k && v);
    const Error ours = error(exact, run(*k, *v));
    const bool moe = json_["moe"].get<bool>();
    const double recorded = pair[moe ? "row_nmse_median" : "nmse"].get<double>();
    const double actual = moe ? ours.row_median : ours.all;
    std::printf("    %s %s/%s: %.3g, recorded %.3g, ratio %.3f\n", GetParam().c_str(), key.first.c_str(),
                key.second.c_str(), actual, recorded, actual / recorded);
    EXPECT_LE(actual, kSlack * recorded + 1e-12) << key.first << " / " << key.second;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenKvTypes, ::testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = tested.param.empty() ? "none" : tested.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
