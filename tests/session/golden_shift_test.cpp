// Sequence operations and rope overrides of the golden folder: the recorded logits, with f32 entries. Where the oracle
// scales keys once more at every shift, a shift there and back must give what was before instead.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "support/golden.h"

namespace {

using hearth::KVType;
using hearth::Session;
using hearth::testing::golden_files;

/// Relative mean square error; of models with GELU what its table in the oracle costs, if that is more.
double bound_of(const std::string& model) {
  const auto path = hearth::testing::golden_dir() / "models" / (model + ".json");
  const auto json = nlohmann::json::parse(hearth::testing::read_file(path));
  const auto noise = json.value("noise_nmse", nlohmann::json::object());
  return std::max(1e-8, 2 * noise.value("gelu_table_vs_exact_gelu", 0.0));
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& path : golden_files("kv", ".shift.json")) {
    const std::string file = path.filename().string();
    names.push_back(file.substr(0, file.size() - std::strlen(".shift.json")));
  }
  if (names.empty()) names.emplace_back();  // one test that reports the absence
  return names;
}

double nmse(std::span<const float> expected, std::span<const float> actual) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = double{expected[i]} - double{actual[i]};
    error += d * d;
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

class GoldenShift : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam().empty()) GTEST_SKIP() << "no golden caches in " << hearth::testing::golden_dir();
    const auto folder = hearth::testing::golden_dir() / "kv";
    json_ = nlohmann::json::parse(hearth::testing::read_file(folder / (GetParam() + ".shift.json")));
    const std::string raw = hearth::testing::read_file(folder / json_["values"].get<std::string>());
    values_.resize(raw.size() / sizeof(float));
    std::memcpy(values_.data(), raw.data(), values_.size() * sizeof(float));
    auto model = hearth::Model::open((folder / json_["model"].get<std::string>()).string());
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
  }

  Session session(KVType type = KVType::kF32, const hearth::RopeOptions& rope = {}) {
    auto made = Session::create(*model_, {.n_ctx = 256,
                                          .n_seqs = 2,
                                          .n_logits = 256,
                                          .k_type = type,
                                          .v_type = type,
                                          .n_threads = 2,
                                          .exact_products = true,
                                          .rope = rope});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  std::span<const float> recorded(const nlohmann::json& json) const {
    const auto width = json_["n_vocab"].get<size_t>();
    return std::span(values_).subspan(json["first_row"].get<size_t>() * width, json["n_rows"].get<size_t>() * width);
  }

  static void decode(Session& s, const nlohmann::json& step, std::vector<float>& logits) {
    const auto tokens = step["tokens"].get<std::vector<hearth::Token>>();
    const std::string rows = step["rows"];
    std::vector<hearth::BatchToken> batch;
    for (size_t i = 0; i < tokens.size(); ++i) {
      batch.push_back({tokens[i], step["pos"].get<int32_t>() + static_cast<int32_t>(i), step["seq"].get<int32_t>(),
                       rows == "all" || (rows == "last" && i + 1 == tokens.size())});
    }
    const auto status = s.decode(batch);
    ASSERT_TRUE(status) << status.error().message;
    for (size_t i = 0; i < s.n_logits(); ++i) logits.insert(logits.end(), s.logits(i).begin(), s.logits(i).end());
  }

  /// Logits of all steps; false when the cache has no such operation.
  static bool run(Session& s, const nlohmann::json& steps, std::vector<float>& logits) {
    for (const auto& step : steps) {
      const std::string op = step["op"];
      const auto number = [&](const char* name) { return step[name].get<int32_t>(); };
      hearth::Status status;
      if (op == "decode") {
        decode(s, step, logits);
      } else if (op == "remove") {
        status = s.cache().remove(number("seq"), std::max(0, number("p0")), number("p1"));
      } else if (op == "shift") {
        status = s.shift(number("seq"), std::max(0, number("p0")), number("p1"), number("delta"));
      } else if (op == "copy") {
        status = s.cache().copy(number("from"), number("to"), std::max(0, number("p0")), number("p1"));
      } else if (op == "keep") {
        status = s.cache().keep(number("seq"));
      } else {
        return false;
      }
      EXPECT_TRUE(status) << op << ": " << status.error().message;
    }
    return true;
  }

  nlohmann::json json_;
  std::vector<float> values_;
  std::optional<hearth::Model> model_;
};

TEST_P(GoldenShift, SequenceOperations) {
  for (const auto& golden : json_["cases"]) {
    SCOPED_TRACE(golden["case"].get<std::string>());
    if (golden.value("oracle_scales_again", false)) continue;
    Session s = session();
    std::vector<float> logits;
    if (!run(s, golden["steps"], logits)) continue;  // two tokens at one position
    const auto expected = recorded(golden);
    ASSERT_EQ(logits.size(), expected.size());
    EXPECT_LE(nmse(expected, logits), bound_of(GetParam()));
  }
}

/// Every type: keys that were stored as f32 come back but for the rounding of two rotations, others are rounded again.
TEST_P(GoldenShift, ThereAndBackChangesNothing) {
  const auto tokens = json_["cases"][0]["steps"][0]["tokens"].get<std::vector<hearth::Token>>();
  for (const KVType type : hearth::list_kv_types()) {
    std::vector<std::vector<float>> logits(2);
    for (int moved = 0; moved < 2; ++moved) {
      Session s = session(type);
      ASSERT_TRUE(s.prefill(tokens));
      for (const int32_t delta : {37, -37}) {
        if (moved == 0) continue;
        const auto status = s.shift(0, 0, -1, delta);
        ASSERT_TRUE(status) << status.error().message;
        EXPECT_EQ(s.cache().length(0), static_cast<int32_t>(tokens.size()) + std::max(delta, 0));
      }
      const hearth::BatchToken next{tokens[3], static_cast<int32_t>(tokens.size()), 0, true};
      ASSERT_TRUE(s.decode({&next, 1}));
      logits[static_cast<size_t>(moved)].assign(s.logits(0).begin(), s.logits(0).end());
    }
    constexpr double kBounds[] = {1e-10, 1e-4, 1e-2, 1e-2, 0.1, 0.1, 0.3, 0.3, 0.3};
    EXPECT_LE(nmse(logits[0], logits[1]), kBounds[static_cast<int>(type)]) << hearth::kv_type_name(type);
  }
}

TEST_P(GoldenShift, RopeOverrides) {
  if (!json_.contains("rope_overrides")) GTEST_SKIP() << "none recorded";
  const auto path = hearth::testing::golden_dir() / "models" / (GetParam() + ".json");
  const auto model = nlohmann::json::parse(hearth::testing::read_file(path));
  const auto tokens = model["tokens"].get<std::vector<hearth::Token>>();
  for (const auto& golden : json_["rope_overrides"]) {
    SCOPED_TRACE(golden["case"].get<std::string>());
    const auto& settings = golden["settings"];
    const std::string type = settings.value("rope_type", "");
    const hearth::RopeOptions rope{.scaling = type == "none"     ? hearth::RopeScalingType::kNone
                                              : type == "linear" ? hearth::RopeScalingType::kLinear
                                              : type == "yarn"   ? hearth::RopeScalingType::kYarn
                                                                 : hearth::RopeScalingType::kModel,
                                   .freq_base = settings.value("rope_base", 0.0f),
                                   .freq_scale = settings.value("rope_scale", 0.0f),
                                   .yarn_orig_ctx = settings.value("yarn_orig", 0),
                                   .yarn_ext_factor = settings.value("yarn_ext", -1.0f),
                                   .yarn_attn_factor = settings.value("yarn_attn", 1.0f),
                                   .yarn_beta_fast = settings.value("yarn_fast", 0.0f),
                                   .yarn_beta_slow = settings.value("yarn_slow", 0.0f)};
    Session s = session(KVType::kF32, rope);
    std::vector<float> logits;
    decode(s, {{"tokens", tokens}, {"pos", 0}, {"seq", 0}, {"rows", "all"}}, logits);
    const auto expected = recorded(golden);
    ASSERT_GE(logits.size(), expected.size());
    EXPECT_LE(nmse(expected, std::span(logits).first(expected.size())), bound_of(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenShift, ::testing::ValuesIn(cases()), [](const auto& tested) {
  std::string name = tested.param.empty() ? "none" : tested.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
