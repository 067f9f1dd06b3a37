// Importance, perplexity and divergence against what llama.cpp recorded for the same models and texts.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "hearth/quality.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

/// F32 cells and weights as the F32 expansion has them, like the recorded numbers.
MeasureOptions exact_run(int32_t chunk_size, int64_t max_chunks, bool parse_special) {
  return {.chunk_size = chunk_size,
          .max_chunks = max_chunks,
          .parse_special = parse_special,
          .k_type = KVType::kF32,
          .v_type = KVType::kF32,
          .exact_products = true};
}

Json read_json(const fs::path& path) {
  const std::string text = read_file(path);
  return text.empty() ? Json() : Json::parse(text);
}

/// The golden models, and the project's own examples.
Result<Model> open_model(const std::string& name) {
  for (const fs::path& folder : {golden_dir() / "perplexity", golden_dir() / "models",
                                 fs::path(hearth::testing::source_dir()) / "examples" / "models"}) {
    if (fs::exists(folder / name)) return Model::open((folder / name).string());
  }
  return Error{ErrorCode::kNotFound, name};
}

std::string text_of(const Json& json) {
  return read_file(golden_dir() / "perplexity" / json["text"].get<std::string>());
}

bool special_in(const Json& json) {
  return json.value("parse_special", json["text"] == "world-chat.txt");
}

/// Both sides sum squares of activations that were computed in floats, the recorded one in floats as well: 1e-5 of each
/// tensor's largest sum is rounding.
void expect_sums(const ImportanceMatrix& ours, const ImportanceMatrix& wanted, const std::string& name) {
  ASSERT_EQ(ours.entries().size(), wanted.entries().size()) << name;
  for (const auto& entry : wanted.entries()) {
    const auto* own = ours.find(entry.name);
    ASSERT_NE(own, nullptr) << name << " " << entry.name;
    EXPECT_EQ(own->counts, entry.counts) << name << " " << entry.name;
    ASSERT_EQ(own->sums.size(), entry.sums.size()) << name << " " << entry.name;
    const float largest = *std::max_element(entry.sums.begin(), entry.sums.end());
    for (size_t i = 0; i < entry.sums.size(); ++i) {
      ASSERT_NEAR(own->sums[i], entry.sums[i], 2e-5f * largest) << name << " " << entry.name << " " << i;
    }
  }
}

TEST(GoldenQuality, ImportanceIsAsRecorded) {
  const Json index = read_json(golden_dir() / "imatrix" / "index.json");
  if (index.is_null()) GTEST_SKIP() << "no golden data in " << golden_dir();
  int n_compared = 0;
  for (const Json& file : index["files"]) {
    const std::string name = file["file"];
    if (!file.contains("text") || !name.ends_with(".gguf")) continue;
    const auto model = open_model(file["model"]);
    if (!model) continue;
    const auto wanted = ImportanceMatrix::read((golden_dir() / "imatrix" / name).string());
    ASSERT_TRUE(wanted);
    const auto ours = measure_importance(*model, text_of(file),
                                         {.run = exact_run(file["chunk_size"], file["chunks_asked"], special_in(file)),
                                          .with_output = wanted->find("output.weight") != nullptr});
    ASSERT_TRUE(ours) << ours.error().message;
    EXPECT_EQ(ours->n_chunks, wanted->n_chunks) << name;
    expect_sums(*ours, *wanted, name);
    ++n_compared;
  }
  EXPECT_GT(n_compared, 0);
}

void expect_near(double ours, const Json& wanted, double relative, const std::string& what) {
  EXPECT_NEAR(ours, wanted.get<double>(), relative * std::abs(wanted.get<double>()) + 1e-7) << what;
}

void expect_row(const PerplexityReport& ours, const Json& exact, const std::string& what) {
  const Divergence& d = *ours.divergence;
  expect_near(ours.perplexity.value, exact["ppl"], 1e-4, what + " ppl");
  expect_near(ours.perplexity.error, exact["ppl_error"], 1e-3, what + " ppl_error");
  expect_near(d.kld.value, exact["kld_mean"], 1e-3, what + " kld");
  expect_near(d.kld.error, exact["kld_error"], 1e-3, what + " kld_error");
  EXPECT_NEAR(d.ln_ratio.value, exact["ln_ppl_ratio"], 1e-4) << what;
  expect_near(d.ln_ratio.error, exact["ln_ppl_ratio_error"], 1e-3, what + " ln_ppl_ratio_error");
  EXPECT_NEAR(d.correlation, exact["correlation"], 1e-3) << what;
  expect_near(d.dp_rms.value, exact["dp_rms"], 1e-3, what + " dp_rms");
  expect_near(d.dp_rms.error, exact["dp_rms_error"], 1e-3, what + " dp_rms_error");
  EXPECT_NEAR(d.same_top.value, exact["same_top"], 1.5 / static_cast<double>(ours.n_scored)) << what;
  EXPECT_NEAR(d.dp.value, exact["dp_mean"], 1e-6) << what;
  for (const Percentile& p : d.kld_percentiles) {
    const std::string key = p.percent == 50     ? "kld_median"
                            : p.percent == 100  ? "kld_max"
                            : p.percent == 99.9 ? "kld_99.9"
                                                : "kld_" + std::to_string(static_cast<int>(p.percent));
    if (!exact.contains(key)) continue;
    EXPECT_NEAR(p.value, exact[key], 1e-3 * exact[key].get<double>() + 1e-6) << what << " " << key;
  }
}

class GoldenPerplexity : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const fs::path& path : golden_files("perplexity", ".json")) {
      Json json = read_json(path);
      if (json.contains("base_scores")) sets.emplace_back(path.stem().string(), std::move(json));
    }
    if (sets.empty()) GTEST_SKIP() << "no golden data in " << golden_dir();
  }
  std::vector<std::pair<std::string, Json>> sets;
};

TEST_F(GoldenPerplexity, OfTheBaseModelsIsAsRecorded) {
  for (const auto& [name, json] : sets) {
    const auto model = open_model(json["model"]);
    ASSERT_TRUE(model) << model.error().message;
    std::vector<double> running;
    const auto report = measure_perplexity(
        *model, text_of(json),
        {.run = exact_run(json["n_ctx"], 0, special_in(json)), .on_progress = [&](const PerplexityReport& so_far) {
           running.push_back(so_far.perplexity.value);
           return true;
         }});
    ASSERT_TRUE(report) << report.error().message;
    const Json& scores = json["base_scores"];
    EXPECT_EQ(report->n_scored, json["n_scored"].get<int64_t>());
    EXPECT_EQ(report->n_chunks, json["n_chunks"].get<int64_t>());
    expect_near(report->nll.value, scores["mean_nll"], 1e-5, name);
    expect_near(report->perplexity.error, scores["ppl_error"], 1e-4, name);
    ASSERT_EQ(running.size(), scores["ppl_after_chunk"].size());
    for (size_t i = 0; i < running.size(); ++i) expect_near(running[i], scores["ppl_after_chunk"][i], 1e-4, name);
  }
}

TEST_F(GoldenPerplexity, DivergenceOfTheKeptFilesIsAsRecorded) {
  std::set<std::string> compared;
  for (const auto& [name, json] : sets) {
    const auto base = open_model(json["model"]);
    ASSERT_TRUE(base);
    const auto options = exact_run(json["n_ctx"], 0, special_in(json));
    for (const Json& row : json["rows"]) {
      if (!row.contains("file")) continue;
      const auto model = open_model(row["file"]);
      ASSERT_TRUE(model) << model.error().message;
      const auto report = measure_perplexity(*model, text_of(json), {.run = options, .base = &*base});
      ASSERT_TRUE(report) << report.error().message;
      expect_row(*report, row["exact"], name + " " + row["type"].get<std::string>());
      compared.insert(row["file"]);
    }
  }
  EXPECT_GT(compared.size(), 0u);
}

/// llama.cpp's own file of base logits, and every digit that its tool printed.
TEST_F(GoldenPerplexity, ThePeersFileOfBaseLogitsIsRead) {
  for (const fs::path& path : golden_files("perplexity", ".base.json")) {
    const Json json = read_json(path);
    const auto model = open_model(json["model"]);
    ASSERT_TRUE(model);
    auto run = exact_run(0, 0, false);
    run.chunk_size = 512;  // not looked at: the file says
    const auto report = measure_perplexity(
        *model, "",
        {.run = run, .base_logits = (golden_dir() / "perplexity" / json["base"].get<std::string>()).string()});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->n_scored, json["n_scored"].get<int64_t>());
    const Json& wanted = json["exact"]["final"];
    const Divergence& d = *report->divergence;
    EXPECT_NEAR(report->perplexity.value, wanted["Mean PPL(Q)"][0], 2e-5);
    EXPECT_NEAR(d.base_perplexity.value, wanted["Mean PPL(base)"][0], 2e-5);
    EXPECT_NEAR(d.kld.value, wanted["Mean KLD"][0], 2e-6);
    EXPECT_NEAR(d.kld.error, wanted["Mean KLD"][1], 2e-6);
    EXPECT_NEAR(d.ln_ratio.error, wanted["Mean ln(PPL(Q)/PPL(base))"][1], 2e-6);
    EXPECT_NEAR(d.dp.value * 100, wanted["Mean Δp (percent)"][0], 1e-3);
    EXPECT_NEAR(d.same_top.value * 100, wanted["Same top p (percent)"][0], 1e-3);
    EXPECT_NEAR(d.kld_percentiles.back().value, wanted["Maximum KLD"], 2e-5);
  }
}

}  // namespace
}  // namespace hearth::testing
