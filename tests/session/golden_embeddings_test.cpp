// Every embedding model of the golden folder: vectors against the oracle's, alone and in a batch.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "hearth/hearth.h"
#include "support/golden.h"
#include "support/rounding.h"

namespace {

using hearth::testing::golden_files;
using hearth::testing::read_file;

struct GoldenTexts {
  std::string path;
  std::vector<std::string> texts;
  std::vector<std::vector<hearth::Token>> ids;
  std::vector<std::vector<float>> vectors;
};

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::vector<GoldenTexts> golden_models() {
  std::vector<GoldenTexts> models;
  for (const auto& path : golden_files("models", ".embd.f32")) {
    const std::string file = path.filename().string();
    const auto base = path.parent_path() / file.substr(0, file.size() - std::strlen(".embd.f32"));
    const auto json = nlohmann::json::parse(read_file(base.string() + ".json"));
    const std::string raw = read_file(path);
    GoldenTexts golden;
    golden.path = base.string() + ".gguf";
    const auto width = json["n_embd"].get<size_t>();
    for (const auto& text : json["texts"]) {
      std::vector<float> vector(width);
      std::memcpy(vector.data(), raw.data() + golden.texts.size() * width * sizeof(float), width * sizeof(float));
      golden.texts.push_back(from_hex(text["text_hex"].get<std::string>()));
      golden.ids.push_back(text["ids"].get<std::vector<hearth::Token>>());
      golden.vectors.push_back(std::move(vector));
    }
    models.push_back(std::move(golden));
  }
  return models;
}

double nmse(std::span<const float> expected, std::span<const float> actual) {
  EXPECT_EQ(expected.size(), actual.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size() && i < actual.size(); ++i) {
    const double d = double{expected[i]} - double{actual[i]};
    error += d * d;
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

/// Relative mean square error of sums of floats in another order, the longest over the feed-forward's width.
double rounding(const hearth::ModelInfo& info) {
  return hearth::testing::chain_nmse(hearth::testing::model_stages(info.n_layers), std::max(info.d_ff, info.d_model));
}

class GoldenEmbeddings : public ::testing::Test {
 protected:
  void SetUp() override {
    models_ = golden_models();
    if (models_.empty()) GTEST_SKIP() << "no golden embeddings in " << hearth::testing::golden_dir();
  }
  std::vector<GoldenTexts> models_;
};

TEST_F(GoldenEmbeddings, VectorsOfTokens) {
  for (const GoldenTexts& golden : models_) {
    const auto model = hearth::Model::open(golden.path);
    ASSERT_TRUE(model) << model.error().message;
    auto embedder = hearth::Embedder::create(*model);
    ASSERT_TRUE(embedder) << embedder.error().message;
    const auto together = embedder->embed_tokens(golden.ids);
    ASSERT_TRUE(together) << together.error().message;
    for (size_t i = 0; i < golden.ids.size(); ++i) {
      EXPECT_LE(nmse(golden.vectors[i], (*together)[i].values), 1e-6) << golden.path << " text " << i;
      const auto alone = embedder->embed_tokens(std::span(&golden.ids[i], 1));
      ASSERT_TRUE(alone) << alone.error().message;
      EXPECT_LE(nmse((*together)[i].values, alone->front().values), rounding(model->info()))
          << golden.path << " text " << i;
    }
  }
}

TEST_F(GoldenEmbeddings, ExactProductsGiveTheExactVectors) {
  for (const GoldenTexts& golden : models_) {
    const auto model = hearth::Model::open(golden.path);
    ASSERT_TRUE(model) << model.error().message;
    auto embedder = hearth::Embedder::create(*model, {.exact_products = true});
    ASSERT_TRUE(embedder) << embedder.error().message;
    const auto vectors = embedder->embed_tokens(golden.ids);
    ASSERT_TRUE(vectors) << vectors.error().message;
    for (size_t i = 0; i < golden.ids.size(); ++i) {
      EXPECT_LE(nmse(golden.vectors[i], (*vectors)[i].values), rounding(model->info())) << golden.path << " text " << i;
    }
  }
}

TEST_F(GoldenEmbeddings, VectorsOfTexts) {
  for (const GoldenTexts& golden : models_) {
    const auto model = hearth::Model::open(golden.path);
    ASSERT_TRUE(model) << model.error().message;
    auto embedder = hearth::Embedder::create(*model, {.batch_tokens = 30});  // several batches
    ASSERT_TRUE(embedder) << embedder.error().message;
    const auto vectors = embedder->embed(golden.texts);
    ASSERT_TRUE(vectors) << vectors.error().message;
    for (size_t i = 0; i < golden.texts.size(); ++i) {
      EXPECT_EQ((*vectors)[i].n_tokens, static_cast<int32_t>(golden.ids[i].size())) << golden.texts[i];
      EXPECT_LE(nmse(golden.vectors[i], (*vectors)[i].values), 1e-6) << golden.path << " text " << i;
    }
  }
}

}  // namespace
