// Embedder with adapters: vectors as those of merged weights, of every layer that texts pass, changed at any time.
#include <gtest/gtest.h>

#include <cmath>

#include "hearth/embedder.h"
#include "lib/arch/architecture.h"
#include "support/adapter_file.h"
#include "support/family_model.h"

namespace hearth {
namespace {

using testing::AdapterFile;
using testing::FamilyModel;
using testing::FamilyOptions;

const std::vector<std::vector<Token>>& texts() {
  static const std::vector<std::vector<Token>> all = [] {
    std::vector<std::vector<Token>> made;
    for (const int n : {9, 1, 70}) {
      std::vector<Token>& text = made.emplace_back();
      for (int i = 0; i < n; ++i) text.push_back((5 + n + 37 * i) % FamilyModel::kVocab);
    }
    return made;
  }();
  return all;
}

std::vector<float> together(Embedder& embedder) {
  const auto vectors = embedder.embed_tokens(texts());
  EXPECT_TRUE(vectors) << vectors.error().message;
  std::vector<float> all;
  for (size_t i = 0; vectors && i < vectors->size(); ++i)
    all.insert(all.end(), (*vectors)[i].values.begin(), (*vectors)[i].values.end());
  return all;
}

std::vector<float> embed(const Model& model, EmbedderOptions options) {
  options.normalize = false;
  auto embedder = Embedder::create(model, options);
  EXPECT_TRUE(embedder) << embedder.error().message;
  return embedder ? together(*embedder) : std::vector<float>();
}

double nmse(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size() || expected.empty()) return 1e9;
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{expected[i]} - double{actual[i]}, 2);
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

/// A model, one with an adapter merged into it, and the adapter.
struct World {
  explicit World(const FamilyModel& family, AdapterFile file) {
    FamilyModel changed = family;
    file.merge_into(changed.tiny, 0.75f);
    bytes = family.gguf(), merged_bytes = changed.gguf(), adapter_bytes = file.gguf();
    auto opened = Model::from_memory(bytes), opened_merged = Model::from_memory(merged_bytes);
    EXPECT_TRUE(opened && opened_merged);
    model.emplace(std::move(*opened)), merged.emplace(std::move(*opened_merged));
    auto loaded = Adapter::from_memory(adapter_bytes, *model);
    EXPECT_TRUE(loaded) << loaded.error().message;
    adapter.emplace(std::move(*loaded));
  }
  std::vector<std::byte> bytes, merged_bytes, adapter_bytes;
  std::optional<Model> model, merged;
  std::optional<Adapter> adapter;
};

void expect_like_merged(const FamilyModel& family, Pooling pooling) {
  const World world(family, AdapterFile(family.tiny, 3));
  const auto expected = embed(*world.merged, {.pooling = pooling});
  EXPECT_LT(nmse(expected, embed(*world.model, {.pooling = pooling, .adapters = {{*world.adapter, 0.75f}}})), 1e-9);
  EXPECT_GT(nmse(expected, embed(*world.model, {.pooling = pooling})), 1e-5);
}

TEST(EmbedderAdapters, LikeMergedWeights) {
  expect_like_merged(FamilyModel(*find_architecture("llama"), {.output = true}), Pooling::kMean);
  expect_like_merged(FamilyModel(*find_architecture("qwen3"), {.output = true}), Pooling::kLast);
  expect_like_merged(FamilyModel(*find_architecture("bert"), {.biases = true, .all_kv_heads = true}), Pooling::kCls);
}

TEST(EmbedderAdapters, LayersAfterPoolingAreChangedToo) {
  FamilyModel reranker(*find_architecture("llama"), {.output = true});
  reranker.tiny.add("cls.weight", {FamilyModel::kWidth, FamilyModel::kWidth});
  reranker.tiny.add("cls.output.weight", {FamilyModel::kWidth, 2});
  AdapterFile file(reranker.tiny, 3);
  std::erase_if(file.tiny.tensors, [](const auto& entry) { return !entry.first.starts_with("cls."); });
  const World world(reranker, file);
  const auto base = embed(*world.model, {.pooling = Pooling::kRank}),
             expected = embed(*world.merged, {.pooling = Pooling::kRank});
  EXPECT_GT(nmse(expected, base), 1e-5);
  EXPECT_LT(nmse(expected, embed(*world.model, {.pooling = Pooling::kRank, .adapters = {{*world.adapter, 0.75f}}})),
            1e-9);
}

TEST(EmbedderAdapters, ChangeBetweenTexts) {
  const FamilyModel family(*find_architecture("llama"), {.output = true});
  const World world(family, AdapterFile(family.tiny, 3));
  auto embedder = Embedder::create(*world.model, {.normalize = false});
  ASSERT_TRUE(embedder);
  const auto base = together(*embedder);
  EXPECT_EQ(embedder->plan().adapter_bytes, 0u);
  ASSERT_TRUE(embedder->set_adapters({{*world.adapter, 0.75f}}));
  EXPECT_EQ(embedder->adapters().size(), 1u);
  EXPECT_LT(nmse(embed(*world.merged, {}), together(*embedder)), 1e-9);
  EXPECT_GT(embedder->plan().adapter_bytes, world.adapter_bytes.size());
  EXPECT_FALSE(embedder->set_adapters({{*world.adapter, NAN}}));
  EXPECT_EQ(embedder->adapters().size(), 1u);
  ASSERT_TRUE(embedder->set_adapters({{*world.adapter, 0.0f}}));
  EXPECT_EQ(together(*embedder), base);
  ASSERT_TRUE(embedder->set_adapters({}));
  EXPECT_EQ(together(*embedder), base);
}

TEST(EmbedderAdapters, OfAnotherModelAreRefused) {
  const FamilyModel family(*find_architecture("llama"), {.output = true});
  const World world(family, AdapterFile(family.tiny, 3)), other(family, AdapterFile(family.tiny, 3));
  EXPECT_EQ(Embedder::create(*world.model, {.adapters = {{*other.adapter, 1.0f}}}).error().code,
            ErrorCode::kInvalidArgument);
}

/// An adapter with invocation tokens acts on texts that have them.
TEST(EmbedderAdapters, InvocationTokensBeginIt) {
  const FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile file(family.tiny, 3);
  file.tiny.int_arrays["adapter.alora.invocation_tokens"] = {texts()[0][2], texts()[0][3]};
  const World world(family, file);
  auto embedder = Embedder::create(*world.model, {.adapters = {{*world.adapter, 0.75f}}});
  auto without = Embedder::create(*world.model);
  ASSERT_TRUE(embedder && without);
  const auto changed = embedder->embed_tokens(texts()), base = without->embed_tokens(texts());
  ASSERT_TRUE(changed && base);
  EXPECT_NE((*changed)[0].values, (*base)[0].values);
  EXPECT_EQ((*changed)[1].values, (*base)[1].values);
}

}  // namespace
}  // namespace hearth
