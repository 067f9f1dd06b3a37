// Merged models of the golden folder's adapters: they give what the adapters give while the model runs, to the rounding
// of the type that they are written in.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "hearth/quantizer.h"
#include "support/golden_adapters.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::adapter_folder;
using testing::index_of_adapters;
using testing::json;
using testing::load_adapters;
using testing::logits_with;
using testing::nmse;
using testing::TempDir;

/// Sums of floats in another order, over all layers of a small model.
constexpr double kFloats = 1e-10;

std::vector<float> exact_logits(const Model& model, const json& entry, std::vector<AdapterScale> adapters = {}) {
  const auto tokens = entry["tokens"].get<std::vector<Token>>();
  return logits_with(model, tokens, std::move(adapters), tokens.size(), true);
}

Result<Model> merged_model(const Model& base, const json& entry, TensorType type, const std::string& path) {
  const auto adapters = load_adapters(entry["merged_check"]["adapters"], base);
  const Status merged = merge_adapters(base, adapters, path, {.type = type});
  return merged ? Model::open(path) : merged.error();
}

/// Of a type: what rounding every matrix of a model of floats to it does to the logits.
double noise_of(const char* mix, const std::string& floats, const std::vector<float>& expected, const json& entry,
                const std::string& path) {
  auto quantizer = Quantizer::open(floats, {.type = mix, .pure = true});
  EXPECT_TRUE(quantizer) << quantizer.error().message;
  const auto written = quantizer->run(path);
  EXPECT_TRUE(written) << written.error().message;
  const auto rounded = Model::open(path);
  EXPECT_TRUE(rounded) << rounded.error().message;
  return rounded ? nmse(expected, exact_logits(*rounded, entry)) : 0.0;
}

bool has_whole_blocks(const Model& model, int64_t block_size) {
  const auto& tensors = model.file().tensors();
  return std::all_of(tensors.begin(), tensors.end(),
                     [&](const GgufTensor& t) { return t.n_dims < 2 || t.dims[0] % block_size == 0; });
}

TEST(GoldenMerge, LikeTheAdaptersAtRunTime) {
  const json index = index_of_adapters();
  if (index.is_null()) GTEST_SKIP() << "no adapters in " << adapter_folder();
  const TempDir folder;
  const std::string floats = folder.file("floats.gguf");
  for (const auto& entry : index["models"]) {
    if (!entry.contains("merged_check")) continue;
    const std::string name = entry["model"].get<std::string>();
    const auto base = Model::open((adapter_folder() / name).string());
    ASSERT_TRUE(base) << base.error().message;
    const auto expected = exact_logits(*base, entry, load_adapters(entry["merged_check"]["adapters"], *base));
    EXPECT_GT(nmse(expected, exact_logits(*base, entry)), 1e-4) << name << ": the adapters do something";
    const auto merged = merged_model(*base, entry, TensorType::kF32, floats);
    ASSERT_TRUE(merged) << merged.error().message;
    const double error = nmse(expected, exact_logits(*merged, entry));
    std::printf("    %s: nmse %.3g as floats, recorded %.3g\n", name.c_str(), error,
                entry["merged_check"]["nmse"].get<double>());
    EXPECT_LE(error, kFloats) << name;
    for (const auto& [mix, type] : {std::pair("F16", TensorType::kF16), std::pair("Q8_0", TensorType::kQ8_0),
                                    std::pair("Q4_0", TensorType::kQ4_0)}) {
      if (!has_whole_blocks(*base, tensor_type_info(type)->block_size)) continue;
      const auto rounded = merged_model(*base, entry, type, folder.file("rounded.gguf"));
      ASSERT_TRUE(rounded) << name << ": " << rounded.error().message;
      const double rounding = nmse(expected, exact_logits(*rounded, entry));
      const double noise = noise_of(mix, floats, expected, entry, folder.file("quantized.gguf"));
      std::printf("    %s: nmse %.3g as %s, of a quantizer over the floats %.3g\n", name.c_str(), rounding, mix, noise);
      EXPECT_LE(rounding, 1.5 * noise) << name << " as " << mix;
    }
  }
}

}  // namespace
}  // namespace hearth
