// SessionOptions::exact_products: a quantized file gives what the floats give that its blocks stand for, for every type
// and instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "hearth/cpu.h"
#include "support/rounding.h"
#include "support/tiny_model.h"
#include "tests/kernels/random_blocks.h"

namespace {

using hearth::Token;
using hearth::testing::TinyModel;

constexpr int kTokens = 24, kVocab = 300, kLayers = 2, kWidth = 256, kFf = 512;
constexpr hearth::TensorType kTypes[] = {
#define HEARTH_FLOAT_TYPE(Name, size, bytes) hearth::TensorType::k##Name,
#define HEARTH_QUANT_TYPE(Name, size, bytes, kind) hearth::TensorType::k##Name,
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
};

/// A model whose matrices are random blocks of one type.
TinyModel blocks_model(int index) {
  TinyModel tiny({.n_layers = kLayers,
                  .d_model = kWidth,
                  .n_heads = 4,
                  .n_kv_heads = 2,
                  .head_dim = 64,
                  .d_ff = kFf,
                  .n_vocab = kVocab});
  const hearth::kernels::TypeKernels& type = hearth::kernels::kernels().types[index];
  std::mt19937 random(1);
  double squares = 0, count = 0;
  for (auto& [name, tensor] : tiny.tensors) {
    if (tensor.dims.size() < 2) continue;
    const auto n = static_cast<int64_t>(tensor.values.size());
    tensor.type = static_cast<uint32_t>(kTypes[index]);
    tensor.blocks = hearth::testing::random_blocks(type, n, random);
    type.dequantize(tensor.values.data(), tensor.blocks.data(), n);
    for (const float value : tensor.values) squares += double{value} * double{value};
    count += static_cast<double>(n);
    if (tensor.type == 0) tensor.blocks.clear();  // the values are the file's bytes
  }
  // Products then have about the size of their inputs.
  const double scale = 1.0 / std::sqrt(double{kWidth} * squares / count);
  for (auto& [name, tensor] : tiny.tensors) {
    for (float& value : tensor.values) value = tensor.dims.size() < 2 ? static_cast<float>(scale * value) : value;
  }
  return tiny;
}

class ExactProducts : public ::testing::TestWithParam<int> {
 protected:
  ExactProducts() : tiny_(blocks_model(GetParam())), bytes_(tiny_.gguf()) {
    for (int i = 0; i < kTokens; ++i) tokens_.push_back((11 + 53 * i) % kVocab);
  }
  void TearDown() override { EXPECT_TRUE(hearth::force_isa(before_)); }

  std::vector<float> run(hearth::SessionOptions options, int step) const {
    options.n_ctx = options.n_logits = kTokens;
    options.k_type = options.v_type = hearth::KVType::kF32;
    const auto model = hearth::Model::from_memory(bytes_);
    EXPECT_TRUE(model) << model.error().message;
    auto session = hearth::Session::create(*model, options);
    EXPECT_TRUE(session) << session.error().message;
    std::vector<float> logits;
    for (int at = 0; at < kTokens; at += step) {
      std::vector<hearth::BatchToken> batch;
      for (int i = at; i < std::min(kTokens, at + step); ++i)
        batch.push_back({tokens_[static_cast<size_t>(i)], i, 0, true});
      EXPECT_TRUE(session->decode(batch));
      for (size_t i = 0; i < batch.size(); ++i)
        logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
    }
    return logits;
  }

  const std::string before_ = hearth::active_isa();
  TinyModel tiny_;
  std::vector<std::byte> bytes_;
  std::vector<Token> tokens_;
};

double nmse(const std::vector<double>& expected, const std::vector<float>& actual) {
  EXPECT_EQ(expected.size(), actual.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += (expected[i] - double{actual[i]}) * (expected[i] - double{actual[i]});
    norm += expected[i] * expected[i];
  }
  return error / norm;
}

TEST_P(ExactProducts, AreThoseOfTheFloats) {
  const auto oracle = tiny_.logits(tokens_);
  const double rounding = hearth::testing::chain_nmse(hearth::testing::model_stages(kLayers), kFf);
  for (const hearth::IsaInfo& isa : hearth::list_isas()) {
    if (!isa.usable) continue;
    ASSERT_TRUE(hearth::force_isa(isa.name));
    for (const int step : {1, 5, kTokens})
      EXPECT_LE(nmse(oracle, run({.n_threads = 2, .exact_products = true}, step)), rounding)
          << isa.name << ", " << step;
  }
  const bool floats = hearth::kernels::kernels().types[GetParam()].kind == hearth::kernels::PanelKind::kFloat;
  if (floats) return;
  EXPECT_GT(nmse(oracle, run({.n_threads = 2}, kTokens)), rounding);  // without the option
}

TEST_P(ExactProducts, DoNotDependOnThreadsOrGrouping) {
  const auto one = run({.n_threads = 1, .batch_invariant = true, .exact_products = true}, kTokens);
  for (const int step : {1, 7}) {
    const auto other = run({.n_threads = 3, .batch_invariant = true, .exact_products = true}, step);
    ASSERT_EQ(one.size(), other.size());
    EXPECT_EQ(0, std::memcmp(one.data(), other.data(), one.size() * sizeof(float))) << step << " at a time";
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExactProducts, ::testing::Range(0, hearth::kernels::kTypeCount),
                         [](const auto& type) { return std::string(hearth::testing::kTypeNames[type.param]); });

}  // namespace
