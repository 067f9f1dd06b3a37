// Real weights (fetched by `./setup.sh real` into the folder HEARTH_REAL) against a float64 reference's words on them:
// the best next token at every position where the second is not nearly as good, and the negative log-likelihood of the
// text.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "support/golden.h"

namespace {

using hearth::testing::golden_files;
using hearth::testing::read_file;

struct Found {
  double nll = 0;
  int n_wrong = 0;  ///< best tokens that differ although the reference's gap is wide
};

/// Computes one sequence and compares position by position.
Found compare(hearth::Session& session, const nlohmann::json& sequence, double wide_gap) {
  const auto tokens = sequence["tokens"].get<std::vector<hearth::Token>>();
  Found found;
  size_t position = 0;
  const auto look = [&](int32_t, int32_t) {
    for (size_t row = 0; row < session.n_logits(); ++row, ++position) {
      const std::span<const float> logits = session.logits(row);
      const auto best = std::max_element(logits.begin(), logits.end());
      const bool is_wide = position < sequence["gap"].size() && sequence["gap"][position].get<double>() > wide_gap;
      if (is_wide && best - logits.begin() != sequence["top1"][position].get<int64_t>()) ++found.n_wrong;
      if (position + 1 >= tokens.size()) continue;
      double sum = 0;
      for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - *best);
      found.nll += std::log(sum) + *best - logits[static_cast<size_t>(tokens[position + 1])];
    }
    return true;
  };
  session.cache().clear();
  const hearth::Status status = session.prefill(tokens, {.all_logits = true, .on_progress = look});
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(position, tokens.size());
  return found;
}

class GoldenReal : public ::testing::Test {
 protected:
  /// Every recorded model whose weights are there.
  void run(bool exact, double wide_gap, double nll_tolerance) {
    const char* folder = std::getenv("HEARTH_REAL");
    if (!folder || !*folder) GTEST_SKIP() << "HEARTH_REAL names no folder of real weights (./setup.sh real)";
    int n_models = 0;
    for (const auto& path : golden_files("real", ".json")) {
      const auto recorded = nlohmann::json::parse(read_file(path));
      if (!recorded.contains("sequences")) continue;
      const auto weights = std::filesystem::path(folder) / recorded["model"].get<std::string>();
      if (!std::filesystem::exists(weights)) continue;
      SCOPED_TRACE(weights.filename().string());
      ++n_models;
      const auto model = hearth::Model::open(weights.string());
      ASSERT_TRUE(model) << model.error().message;
      const auto type = exact ? hearth::KVType::kF32 : hearth::KVType::kF16;
      auto session = hearth::Session::create(
          *model,
          {.n_ctx = 1024, .n_batch = 64, .n_logits = 64, .k_type = type, .v_type = type, .exact_products = exact});
      ASSERT_TRUE(session) << session.error().message;
      double nll = 0, expected = 0;
      int n_wrong = 0;
      for (const auto& sequence : recorded["sequences"]) {
        const Found found = compare(*session, sequence, wide_gap);
        nll += found.nll;
        n_wrong += found.n_wrong;
        expected += sequence["nll"].get<double>();
      }
      EXPECT_EQ(n_wrong, 0);
      EXPECT_NEAR(nll / expected, 1, nll_tolerance);
    }
    if (n_models == 0) GTEST_SKIP() << "no weights in " << folder << " that were recorded";
  }
};

TEST_F(GoldenReal, ExactProductsAgreeWithTheReference) {
  run(true, 1e-3, 1e-4);
}

TEST_F(GoldenReal, TheUsualProductsAgreeWhereTheGapIsWide) {
  run(false, 0.6, 0.02);
}

}  // namespace
