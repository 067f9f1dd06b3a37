// Every model of the golden folder: logits, experts and greedy text against the exact ones, tokens in any grouping.
// With exact products a file must give what its F32 expansion gives; without, quantized files may err as much as the
// oracle's own quantized kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "kernels/kernel_table.h"
#include "lib/session/session_impl.h"
#include "support/golden.h"
#include "support/rounding.h"

namespace {

using hearth::testing::golden_files;
using hearth::testing::read_file;

struct GoldenModel {
  std::filesystem::path path;  // of the .gguf
  nlohmann::json json;
  std::vector<float> values;  // [n_tokens, n_vocab]
  std::vector<hearth::Token> tokens;
};

bool supported(const std::filesystem::path& path) {
  const auto file = hearth::GgufFile::open(path.string());
  if (!file) return false;
  const auto arch = file->get_string("general.architecture");
  const auto names = hearth::Model::architectures();
  return arch && std::find(names.begin(), names.end(), *arch) != names.end();
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& path : golden_files("models", ".logits.f32")) {
    const std::string file = path.filename().string();
    names.push_back(file.substr(0, file.size() - std::strlen(".logits.f32")));
  }
  if (names.empty()) names.push_back("");  // one test that reports the absence
  return names;
}

GoldenModel load_golden(const std::string& name) {
  GoldenModel golden;
  const auto folder = hearth::testing::golden_dir() / "models";
  golden.path = folder / (name + ".gguf");
  golden.json = nlohmann::json::parse(read_file(folder / (name + ".json")));
  const std::string raw = read_file(folder / (name + ".logits.f32"));
  golden.values.resize(raw.size() / sizeof(float));
  std::memcpy(golden.values.data(), raw.data(), golden.values.size() * sizeof(float));
  golden.tokens = golden.json["tokens"].get<std::vector<hearth::Token>>();
  return golden;
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

/// Logits of all tokens, `step` tokens a decode().
std::vector<float> run(const hearth::Model& model, const std::vector<hearth::Token>& tokens,
                       const hearth::SessionOptions& options, size_t step) {
  auto session = hearth::Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (size_t at = 0; at < tokens.size(); at += step) {
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

/// The same, every token computed beside one of another sequence.
std::vector<float> run_among_strangers(const hearth::Model& model, const std::vector<hearth::Token>& tokens,
                                       hearth::SessionOptions options) {
  options.n_seqs = 2;
  options.n_ctx *= 2;
  auto session = hearth::Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<hearth::BatchToken> batch;
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch.push_back({tokens[tokens.size() - 1 - i], static_cast<int32_t>(i), 0, false});
    batch.push_back({tokens[i], static_cast<int32_t>(i), 1, true});
  }
  const auto status = session->decode(batch);
  EXPECT_TRUE(status) << status.error().message;
  std::vector<float> logits;
  for (size_t i = 0; i < tokens.size(); ++i)
    logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
  return logits;
}

class GoldenModels : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam().empty()) GTEST_SKIP() << "no golden models in " << hearth::testing::golden_dir();
    golden_ = load_golden(GetParam());
    if (!supported(golden_.path)) GTEST_SKIP() << "architecture of " << GetParam() << " is not supported yet";
    auto model = hearth::Model::open(golden_.path.string());
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
    options_.n_ctx = golden_.json["n_ctx"].get<int32_t>();
    options_.n_logits = static_cast<int32_t>(golden_.tokens.size());
    options_.k_type = options_.v_type = hearth::KVType::kF32;
    options_.n_threads = 2;
  }
  /// Relative mean square error of sums of floats in another order, the longest over the feed-forward's width or the
  /// tokens.
  double rounding() const {
    const hearth::ModelInfo& info = model_->info();
    const auto n_terms =
        std::max({static_cast<size_t>(info.d_ff), static_cast<size_t>(info.d_model), golden_.tokens.size()});
    return hearth::testing::chain_nmse(hearth::testing::model_stages(info.n_layers), static_cast<double>(n_terms));
  }
  /// F32 files must be exact; other files at or below the error of the oracle's own quantized kernels.
  double bound() const {
    return golden_.json.contains("peer_nmse") ? golden_.json["peer_nmse"].get<double>() : rounding();
  }

  /// Standard error of the difference of two logits at a relative mean square error.
  double noise(double nmse) const {
    double squares = 0;
    for (const float value : golden_.values) squares += double{value} * double{value};
    return std::sqrt(2 * nmse * squares / static_cast<double>(golden_.values.size()));
  }
  /// Files whose weights are codes: activations are rounded to 8 bits.
  bool quantized() const {
    for (const auto& tensor : model_->file().tensors()) {
      const auto type = tensor.type;
      if (type != hearth::TensorType::kF32 && type != hearth::TensorType::kF16 && type != hearth::TensorType::kBF16)
        return true;
    }
    return false;
  }
  /// Files of which many tokens at once are multiplied otherwise than few: codes, and the 16-bit floats that wide
  /// products take as sums of two numbers.
  bool wide_differs() const {
    const hearth::kernels::WideKernels& wide = hearth::kernels::kernels().matmul.wide;
    if (wide.least_cols == 0 || golden_.tokens.size() < static_cast<size_t>(wide.least_cols)) return false;
    for (const auto& tensor : model_->file().tensors()) {
      if (tensor.type == hearth::TensorType::kF16 || tensor.type == hearth::TensorType::kBF16) return true;
    }
    return quantized();
  }

  void expect_experts(const hearth::SessionOptions& options, bool in_order, double share) const;
  void expect_greedy_text(const nlohmann::json& expected, const hearth::SessionOptions& options, double tie) const;
  /// The cases of the file; one, or a list of them.
  nlohmann::json greedy_cases() const {
    const auto& greedy = golden_.json["greedy"];
    if (greedy.is_null()) return nlohmann::json::array();
    return greedy.is_array() ? greedy : nlohmann::json::array({greedy});
  }

  GoldenModel golden_;
  std::optional<hearth::Model> model_;
  hearth::SessionOptions options_;
};

TEST_P(GoldenModels, LogitsOfAPrompt) {
  const auto logits = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  ASSERT_EQ(logits.size(), golden_.values.size());
  const double error = nmse(golden_.values, logits);
  RecordProperty("nmse", std::to_string(error));
  std::printf("    nmse %.3g, bound %.3g\n", error, bound());
  EXPECT_LE(error, bound());
}

TEST_P(GoldenModels, LogitsTokenByToken) {
  const auto logits = run(*model_, golden_.tokens, options_, 1);
  ASSERT_EQ(logits.size(), golden_.values.size());
  const double error = nmse(golden_.values, logits);
  std::printf("    nmse %.3g, bound %.3g\n", error, bound());
  EXPECT_LE(error, bound());
}

TEST_P(GoldenModels, HalfPrecisionCells) {
  options_.k_type = options_.v_type = hearth::KVType::kF16;
  const auto logits = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  const double noise = golden_.json["noise_nmse"].value("kv_f16", 1e-6);
  const double flips = quantized() && model_->info().n_experts > 0 ? 10 : 1.1;  // another expert may be chosen
  EXPECT_LE(nmse(golden_.values, logits), flips * bound() + 10 * noise);
}

TEST_P(GoldenModels, ThreadsDoNotChangeABit) {
  options_.n_threads = 1;
  const auto one = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  const auto one_steps = run(*model_, golden_.tokens, options_, 1);
  for (const int threads : {2, 4}) {
    options_.n_threads = threads;
    const auto many = run(*model_, golden_.tokens, options_, golden_.tokens.size());
    const auto many_steps = run(*model_, golden_.tokens, options_, 1);
    ASSERT_EQ(one.size(), many.size());
    EXPECT_EQ(0, std::memcmp(one.data(), many.data(), one.size() * sizeof(float))) << threads << " threads";
    EXPECT_EQ(0, std::memcmp(one_steps.data(), many_steps.data(), one.size() * sizeof(float))) << threads << " threads";
  }
}

/// Root of the NMSE: the relative difference of two results.
double relative(std::span<const float> a, std::span<const float> b) {
  return std::sqrt(nmse(a, b));
}

TEST_P(GoldenModels, GroupingOfTokensDoesNotMatter) {
  // Rounding of another order of sums; where activations are rounded to codes, a code may flip. Many tokens at once may
  // be rounded otherwise (WideKernels), codes with a quarter of the error power: then both errors may add up.
  const bool wide = wide_differs();
  // Of 16-bit floats each product is off by 3 u^2 of bfloat16 at most (kernels/wide_products_test.cpp).
  const double split = wide && !quantized() ? 3 * hearth::testing::kBF16Roundoff * hearth::testing::kBF16Roundoff : 0;
  const double tolerance =
      std::sqrt(quantized() ? bound() : rounding()) + split * hearth::testing::model_stages(model_->info().n_layers);
  const auto least = static_cast<size_t>(hearth::kernels::kernels().matmul.wide.least_cols);
  const auto whole = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  for (const size_t step : {size_t{1}, size_t{7}, size_t{33}}) {
    EXPECT_LE(relative(whole, run(*model_, golden_.tokens, options_, step)),
              wide && step < least ? 1.5 * tolerance : tolerance)
        << step << " at a time";
  }
  EXPECT_LE(relative(whole, run_among_strangers(*model_, golden_.tokens, options_)), tolerance);
}

/// The experts of every layer, or at least a share of its tokens, are the oracle's.
void GoldenModels::expect_experts(const hearth::SessionOptions& options, bool in_order, double share) const {
  const auto n_used = static_cast<size_t>(model_->info().n_experts_used);
  std::map<int, std::vector<int32_t>> chosen;  // of each layer
  auto session = hearth::Session::create(*model_, options);
  ASSERT_TRUE(session) << session.error().message;
  hearth::SessionInternals::of(*session).observe_linear = [&](const hearth::LinearCall& call) {
    if (call.name.find("_exps.") == std::string_view::npos) return;
    const int layer = std::stoi(std::string(call.name.substr(std::string_view("blk.").size())));
    chosen[layer].assign(call.routing->expert.begin(), call.routing->expert.end());
  };
  std::vector<hearth::BatchToken> batch;
  for (const hearth::Token id : golden_.tokens) batch.push_back({id, static_cast<int32_t>(batch.size()), 0, true});
  ASSERT_TRUE(session->decode(batch));
  for (const auto& [name, tokens] : golden_.json["experts"].items()) {
    const auto& mine = chosen[std::stoi(name.substr(name.rfind('-') + 1))];
    ASSERT_EQ(mine.size(), tokens.size() * n_used) << name;
    size_t equal = 0;
    for (size_t t = 0; t < tokens.size(); ++t) {
      auto expected = tokens[t].get<std::vector<int32_t>>();
      std::vector<int32_t> actual(mine.begin() + static_cast<std::ptrdiff_t>(t * n_used),
                                  mine.begin() + static_cast<std::ptrdiff_t>((t + 1) * n_used));
      if (!in_order) std::sort(expected.begin(), expected.end()), std::sort(actual.begin(), actual.end());
      equal += expected == actual;
    }
    std::printf("    %s: %zu of %zu tokens\n", name.c_str(), equal, tokens.size());
    EXPECT_GE(static_cast<double>(equal), share * static_cast<double>(tokens.size())) << name;
  }
}

TEST_P(GoldenModels, ExpertsAreThoseOfTheOracle) {
  if (!golden_.json.contains("experts")) GTEST_SKIP() << "no experts";
  expect_experts(options_, !quantized(), quantized() ? 0.9 : 1.0);
}

/// Quantized experts: one flipped choice changes all that follows, so the oracle's own text is given and the next token
/// predicted. At least a share must be right or have a margin below `tie`.
void expect_predictions(const hearth::Model& model, const hearth::SessionOptions& options, const nlohmann::json& one,
                        double tie, double share) {
  auto text = one["prompt_ids"].get<std::vector<hearth::Token>>();
  const auto expected = one["ids"].get<std::vector<hearth::Token>>();
  const auto margins = one["margins"].get<std::vector<double>>();
  const size_t n_prompt = text.size();
  text.insert(text.end(), expected.begin(), expected.end());
  const auto logits = run(model, text, options, text.size());
  const auto n_vocab = static_cast<size_t>(model.info().n_vocab);
  size_t equal = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>((n_prompt - 1 + i) * n_vocab);
    equal += margins[i] < tie || std::max_element(row, row + static_cast<std::ptrdiff_t>(n_vocab)) - row == expected[i];
  }
  std::printf("    %zu of %zu predictions\n", equal, expected.size());
  EXPECT_GE(static_cast<double>(equal), share * static_cast<double>(expected.size()));
}

/// The continuation of a case, up to a step where the oracle's best two tokens are closer than `tie`.
void GoldenModels::expect_greedy_text(const nlohmann::json& one, const hearth::SessionOptions& options,
                                      double tie) const {
  auto session = hearth::Session::create(*model_, options);
  ASSERT_TRUE(session) << session.error().message;
  hearth::GenerateOptions generate;
  generate.sampler.greedy = true;
  generate.parse_special = true;
  generate.ignore_end = true;
  const auto expected = one["ids"].get<std::vector<hearth::Token>>();
  generate.max_tokens = static_cast<int32_t>(expected.size());
  const auto result = session->generate(one["prompt"].get<std::string>(), generate);
  ASSERT_TRUE(result) << result.error().message;
  const auto margins = one["margins"].get<std::vector<double>>();
  ASSERT_EQ(result->ids.size(), expected.size());
  size_t same = 0;
  while (same < expected.size() && result->ids[same] == expected[same]) ++same;
  if (same < expected.size()) {
    EXPECT_LT(margins[same], tie) << "step " << same << " of " << expected.size();
  }
}

TEST_P(GoldenModels, GreedyText) {
  if (greedy_cases().empty()) GTEST_SKIP() << "no greedy continuation";
  const double tie = golden_.json.contains("peer_nmse") ? 4 * noise(bound()) : 0.0;
  for (const auto& one : greedy_cases()) {
    if (quantized() && model_->info().n_experts > 0) {
      expect_predictions(*model_, options_, one, tie, 0.9);
    } else {
      expect_greedy_text(one, options_, tie);
    }
  }
}

TEST_P(GoldenModels, ExactProductsGiveTheExactLogits) {
  options_.exact_products = true;
  for (const size_t step : {golden_.tokens.size(), size_t{1}, size_t{9}}) {
    const auto logits = run(*model_, golden_.tokens, options_, step);
    ASSERT_EQ(logits.size(), golden_.values.size());
    const double error = nmse(golden_.values, logits);
    std::printf("    nmse %.3g, %zu tokens at a time\n", error, step);
    EXPECT_LE(error, rounding()) << step << " tokens at a time";
  }
}

TEST_P(GoldenModels, ExactProductsChooseTheExactExperts) {
  if (!golden_.json.contains("experts")) GTEST_SKIP() << "no experts";
  options_.exact_products = true;
  expect_experts(options_, true, 1.0);
}

TEST_P(GoldenModels, ExactProductsWriteTheExactText) {
  if (greedy_cases().empty()) GTEST_SKIP() << "no greedy continuation";
  options_.exact_products = true;
  for (const auto& one : greedy_cases()) expect_greedy_text(one, options_, noise(rounding()));
}

TEST_P(GoldenModels, ExactProductsDoNotDependOnThreads) {
  options_.exact_products = true;
  options_.n_threads = 1;
  const auto one = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  options_.n_threads = 3;
  const auto many = run(*model_, golden_.tokens, options_, golden_.tokens.size());
  EXPECT_EQ(0, std::memcmp(one.data(), many.data(), one.size() * sizeof(float)));
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenModels, ::testing::ValuesIn(model_names()), [](const auto& param) {
  std::string name = param.param.empty() ? "absent" : param.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

}  // namespace
