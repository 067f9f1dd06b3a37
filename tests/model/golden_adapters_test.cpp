// Adapters of the golden folder: logits against those of another program, over F32 and quantized bases, and files that
// must be refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "kernels/kernel_table.h"
#include "support/golden_adapters.h"

namespace {

using hearth::Adapter;
using hearth::AdapterScale;
using hearth::testing::adapter_folder;
using hearth::testing::golden_dir;
using hearth::testing::index_of_adapters;
using hearth::testing::json;
using hearth::testing::load_adapters;
using hearth::testing::logits_with;
using hearth::testing::nmse;
using hearth::testing::read_floats;

constexpr double kExactBase = 1e-8;

std::string name_of(const json& one) {
  std::string name = one["base"].get<std::string>();
  for (const auto& a : one["adapters"]) name += " + " + a["file"].get<std::string>() + " x " + a["scale"].dump();
  return name;
}

/// The error over the tokens where no expert flipped: where two are nearly equal, the rounding of activations chooses
/// another, and one such token outweighs all others of a text.
double error_without_flips(std::span<const float> expected, std::span<const float> actual, size_t n_vocab) {
  std::vector<double> errors, sorted;
  double norm = 0;
  for (size_t at = 0; at + n_vocab <= expected.size(); at += n_vocab) {
    double error = 0;
    for (size_t i = at; i < at + n_vocab; ++i) {
      error += (double{expected[i]} - double{actual[i]}) * (double{expected[i]} - double{actual[i]});
      norm += double{expected[i]} * double{expected[i]};
    }
    errors.push_back(error);
  }
  sorted = errors;
  std::sort(sorted.begin(), sorted.end());
  const double flip = 20 * sorted[sorted.size() / 2];
  size_t n_flips = 0;
  double sum = 0;
  for (const double error : errors) {
    n_flips += error > flip;
    sum += error > flip ? 0 : error;
  }
  EXPECT_LE(n_flips, errors.size() / 8) << "that many tokens are not ties of two experts";
  return sum / norm;
}

/// One case: logits of the whole text at once, of seven tokens and of one token at a time. Of quantized experts also
/// without the tokens where one flips.
void expect_case(const json& one, const std::vector<hearth::Token>& tokens, const std::vector<float>& values,
                 size_t n_vocab) {
  const std::string name = name_of(one);
  auto model = hearth::Model::open((adapter_folder() / one["base"].get<std::string>()).string());
  ASSERT_TRUE(model) << name << ": " << model.error().message;
  const std::vector<AdapterScale> adapters = load_adapters(one["adapters"], *model);
  ASSERT_EQ(adapters.size(), one["adapters"].size()) << name;
  const bool quantized = one["base"].get<std::string>().find(".Q") != std::string::npos;
  const double peer = one["peer_nmse"].get<double>();
  const std::span expected =
      std::span(values).subspan(one["first_row"].get<size_t>() * n_vocab, one["n_rows"].get<size_t>() * n_vocab);
  for (const size_t step : {tokens.size(), size_t{7}, size_t{1}}) {
    const double exact = nmse(expected, logits_with(*model, tokens, adapters, step, true));
    EXPECT_LE(exact, kExactBase) << name << ", " << step << " tokens at a time, exact products";
    if (!quantized) continue;
    const std::vector<float> logits = logits_with(*model, tokens, adapters, step);
    const double error = nmse(expected, logits);
    std::printf("    nmse %.3g (the other's %.3g), %zu tokens at a time: %s\n", error, peer, step, name.c_str());
    // Which tokens have a tie of two experts flipped is drawn anew where products are rounded otherwise (WideKernels),
    // and one such token outweighs all others: there, what is left without them is compared alone.
    const int least = hearth::kernels::kernels().matmul.wide.least_cols;
    const bool drawn_anew = model->info().n_experts > 0 && least > 0 && step >= static_cast<size_t>(least);
    if (!drawn_anew) {
      EXPECT_LE(error, peer) << name << ", " << step << " tokens at a time";
    }
    if (model->info().n_experts == 0) continue;
    EXPECT_LE(error_without_flips(expected, logits, n_vocab), peer / 2) << name << ", " << step << " tokens at a time";
  }
  bool none = !adapters.empty();
  for (const AdapterScale& a : adapters) none = none && a.scale == 0.0f;
  if (!none) return;
  const auto with = logits_with(*model, tokens, adapters, tokens.size()),
             without = logits_with(*model, tokens, {}, tokens.size());
  EXPECT_EQ(0, std::memcmp(with.data(), without.data(), with.size() * sizeof(float))) << name;
}

TEST(GoldenAdapters, Logits) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << adapter_folder();
  for (const auto& model : index["models"]) {
    const auto tokens = model["tokens"].get<std::vector<hearth::Token>>();
    const auto values = read_floats(adapter_folder() / model["values"].get<std::string>());
    for (const auto& one : model["cases"]) {
      if (one.contains("peer_nmse") && one["peer_nmse"].is_number()) {
        expect_case(one, tokens, values, model["n_vocab"].get<size_t>());
      }
    }
  }
}

/// Where the other program fails the adapter has a meaning here: the look-up of tokens alone.
TEST(GoldenAdapters, EmbeddingOfATiedModelLeavesTheOutput) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << adapter_folder();
  for (const auto& entry : index["models"]) {
    const auto tokens = entry["tokens"].get<std::vector<hearth::Token>>();
    for (const auto& one : entry["cases"]) {
      if (one.contains("peer_nmse") && one["peer_nmse"].is_number()) continue;
      auto model = hearth::Model::open((adapter_folder() / one["base"].get<std::string>()).string());
      ASSERT_TRUE(model);
      const auto logits = logits_with(*model, tokens, load_adapters(one["adapters"], *model), tokens.size());
      const auto base = logits_with(*model, tokens, {}, tokens.size());
      ASSERT_EQ(logits.size(), base.size());
      const double change = nmse(base, logits);
      EXPECT_GT(change, 1e-6) << name_of(one);
      EXPECT_LT(change, 4.0) << name_of(one);
    }
  }
}

TEST(GoldenAdapters, RefusedFiles) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << adapter_folder();
  const auto model = hearth::Model::open((golden_dir() / "models" / "llama3-gqa.gguf").string());
  ASSERT_TRUE(model) << model.error().message;
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(adapter_folder())) {
    if (!entry.path().filename().string().starts_with("bad-")) continue;
    const auto adapter = Adapter::load(entry.path().string(), *model);
    ASSERT_FALSE(adapter) << entry.path();
    std::printf("    %s\n", adapter.error().message.c_str());
    ++n;
  }
  EXPECT_EQ(n, static_cast<int>(index["refused"].size()));
}

}  // namespace
