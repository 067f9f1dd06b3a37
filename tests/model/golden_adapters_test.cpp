// Adapters of the golden folder: logits against those of another program, over F32 and quantized bases, and files that
// must be refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "support/golden.h"

namespace {

using hearth::Adapter;
using hearth::AdapterScale;
using hearth::testing::golden_dir;
using hearth::testing::read_file;
using nlohmann::json;

constexpr double kExactBase = 1e-8;

std::filesystem::path folder() {
  return golden_dir() / "lora";
}

json index_of_adapters() {
  const std::string text = read_file(folder() / "index.json");
  return text.empty() ? json() : json::parse(text);
}

std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::string raw = read_file(path);
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
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

hearth::SessionOptions options_for(size_t n_tokens) {
  hearth::SessionOptions options;
  options.n_ctx = static_cast<int32_t>(n_tokens);
  options.n_logits = static_cast<int32_t>(n_tokens);
  options.k_type = options.v_type = hearth::KVType::kF32;
  options.n_threads = 2;
  return options;
}

/// Logits of all tokens, `step` tokens a decode().
std::vector<float> run(const hearth::Model& model, const std::vector<hearth::Token>& tokens,
                       std::vector<AdapterScale> adapters, size_t step, bool exact = false) {
  hearth::SessionOptions options = options_for(tokens.size());
  options.exact_products = exact;
  options.adapters = std::move(adapters);
  auto session = hearth::Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (size_t at = 0; session && at < tokens.size(); at += step) {
    std::vector<hearth::BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + step); ++i)
      batch.push_back({tokens[i], static_cast<int32_t>(i), 0, true});
    const auto status = session->decode(batch);
    EXPECT_TRUE(status) << status.error().message;
    for (size_t i = 0; i < batch.size(); ++i)
      logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return logits;
}

std::vector<AdapterScale> load_all(const json& list, const hearth::Model& model) {
  std::vector<AdapterScale> adapters;
  for (const auto& one : list) {
    auto adapter = Adapter::load((folder() / one["file"].get<std::string>()).string(), model);
    EXPECT_TRUE(adapter) << adapter.error().message;
    if (adapter) adapters.push_back({*adapter, one["scale"].get<float>()});
  }
  return adapters;
}

std::string name_of(const json& one) {
  std::string name = one["base"].get<std::string>();
  for (const auto& a : one["adapters"]) name += " + " + a["file"].get<std::string>() + " x " + a["scale"].dump();
  return name;
}

/// Errors of several cases together, and those of the other program.
struct Errors {
  double ours = 0, peer = 0;
};

/// One case: logits of the whole text at once, of seven tokens and of one token at a time. Of quantized experts one
/// that flips (two are nearly equal) outweighs all other errors of a text, so that these are compared over all cases.
void expect_case(const json& one, const std::vector<hearth::Token>& tokens, const std::vector<float>& values,
                 size_t n_vocab, Errors& of_experts) {
  const std::string name = name_of(one);
  auto model = hearth::Model::open((folder() / one["base"].get<std::string>()).string());
  ASSERT_TRUE(model) << name << ": " << model.error().message;
  const std::vector<AdapterScale> adapters = load_all(one["adapters"], *model);
  ASSERT_EQ(adapters.size(), one["adapters"].size()) << name;
  const bool quantized = one["base"].get<std::string>().find(".Q") != std::string::npos;
  const double peer = one["peer_nmse"].get<double>();
  const std::span expected =
      std::span(values).subspan(one["first_row"].get<size_t>() * n_vocab, one["n_rows"].get<size_t>() * n_vocab);
  for (const size_t step : {tokens.size(), size_t{7}, size_t{1}}) {
    const double exact = nmse(expected, run(*model, tokens, adapters, step, true));
    EXPECT_LE(exact, kExactBase) << name << ", " << step << " tokens at a time, exact products";
    if (!quantized) continue;
    const double error = nmse(expected, run(*model, tokens, adapters, step));
    std::printf("    nmse %.3g (the other's %.3g), %zu tokens at a time: %s\n", error, peer, step, name.c_str());
    if (model->info().n_experts > 0) {
      of_experts.ours += error, of_experts.peer += peer;
    } else {
      EXPECT_LE(error, peer) << name << ", " << step << " tokens at a time";
    }
  }
  bool none = !adapters.empty();
  for (const AdapterScale& a : adapters) none = none && a.scale == 0.0f;
  if (!none) return;
  const auto with = run(*model, tokens, adapters, tokens.size()), without = run(*model, tokens, {}, tokens.size());
  EXPECT_EQ(0, std::memcmp(with.data(), without.data(), with.size() * sizeof(float))) << name;
}

TEST(GoldenAdapters, Logits) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << folder();
  Errors of_experts;
  for (const auto& model : index["models"]) {
    const auto tokens = model["tokens"].get<std::vector<hearth::Token>>();
    const auto values = read_floats(folder() / model["values"].get<std::string>());
    for (const auto& one : model["cases"]) {
      if (one.contains("peer_nmse") && one["peer_nmse"].is_number()) {
        expect_case(one, tokens, values, model["n_vocab"].get<size_t>(), of_experts);
      }
    }
  }
  EXPECT_LE(of_experts.ours, of_experts.peer);
}

/// Where the other program fails the adapter has a meaning here: the look-up of tokens alone.
TEST(GoldenAdapters, EmbeddingOfATiedModelLeavesTheOutput) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << folder();
  for (const auto& entry : index["models"]) {
    const auto tokens = entry["tokens"].get<std::vector<hearth::Token>>();
    for (const auto& one : entry["cases"]) {
      if (one.contains("peer_nmse") && one["peer_nmse"].is_number()) continue;
      auto model = hearth::Model::open((folder() / one["base"].get<std::string>()).string());
      ASSERT_TRUE(model);
      const auto logits = run(*model, tokens, load_all(one["adapters"], *model), tokens.size());
      const auto base = run(*model, tokens, {}, tokens.size());
      ASSERT_EQ(logits.size(), base.size());
      const double change = nmse(base, logits);
      EXPECT_GT(change, 1e-6) << name_of(one);
      EXPECT_LT(change, 4.0) << name_of(one);
    }
  }
}

TEST(GoldenAdapters, RefusedFiles) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << folder();
  const auto model = hearth::Model::open((golden_dir() / "models" / "llama3-gqa.gguf").string());
  ASSERT_TRUE(model) << model.error().message;
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (!entry.path().filename().string().starts_with("bad-")) continue;
    const auto adapter = Adapter::load(entry.path().string(), *model);
    ASSERT_FALSE(adapter) << entry.path();
    std::printf("    %s\n", adapter.error().message.c_str());
    ++n;
  }
  EXPECT_EQ(n, static_cast<int>(index["refused"].size()));
}

}  // namespace
