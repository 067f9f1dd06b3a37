// Initial values: where untrained heads look, and that a deeper model begins where a trained one ended.
#include "examples/train/initial.h"

#include <gtest/gtest.h>

#include <numeric>

#include "examples/train/export.h"
#include "examples/train/network.h"
#include "hearth/sampler.h"
#include "tests/support/temp_dir.h"

namespace train {
namespace {

constexpr ModelSizes kSizes{.n_vocab = 400,
                            .d_model = 128,
                            .n_layers = 2,
                            .n_heads = 4,
                            .n_kv_heads = 2,
                            .head_dim = 32,
                            .d_ff = 64,
                            .n_ctx = 96};

/// Different words, and again in the same order.
Shard repeated(int n) {
  std::vector<int32_t> words(static_cast<size_t>(kSizes.n_vocab));
  std::iota(words.begin(), words.end(), 0);
  hearth::Rng rng(5);
  for (size_t i = words.size(); i > 1; --i) std::swap(words[i - 1], words[static_cast<size_t>(rng.next() % i)]);
  Shard shard;
  for (int i = 0; i < 2 * n; ++i) shard.ids.push_back(words[static_cast<size_t>(i % n)]);
  shard.targets.assign(shard.ids.begin() + 1, shard.ids.end());
  shard.targets.push_back(0);
  shard.weights.assign(shard.ids.size(), 1.0f);
  shard.starts = {0, static_cast<int64_t>(shard.ids.size())};
  return shard;
}

/// What the first layer's head gives the token `back` places before, as a multiple of an equal share; mean over tokens.
double attention_to(const Layout& layout, const Shard& shard, int64_t head, Eigen::Index back) {
  const ModelSizes& s = layout.sizes;
  const Floats values = initial_parameters(layout, 3);
  const auto n = static_cast<Eigen::Index>(shard.ids.size());
  const ConstMap<float> embedding(values.data() + layout.embedding, s.n_vocab, s.d_model);
  Matrix<float> x(n, s.d_model), normed, qkv, out;
  for (Eigen::Index i = 0; i < n; ++i) x.row(i) = embedding.row(shard.ids[static_cast<size_t>(i)]);
  std::vector<float> inverse;
  rms_norm(normed, inverse, x, values.data() + layout.layers[0].attn_norm, s.rms_eps);
  qkv = normed * ConstMap<float>(values.data() + layout.layers[0].wqkv, s.d_q() + 2 * s.d_kv(), s.d_model).transpose();
  const Rope<float> rope(s.n_ctx, s.head_dim, static_cast<double>(s.rope_base));
  for (Eigen::Index i = 0; i < n; ++i) rope.turn(qkv.row(i).data(), s.n_heads + s.n_kv_heads, i, 1);
  Floats probabilities;
  attention(out, probabilities, qkv, shard.starts, s);
  const ConstMap<float> p(probabilities.data() + head * n * n, n, n);
  double sum = 0;
  for (Eigen::Index i = 10; i < n; ++i) sum += static_cast<double>(p(i, i - back)) * static_cast<double>(i + 1);
  return sum / static_cast<double>(n - 10);
}

TEST(TrainInitial, TheFirstHeadsLookOneAndTwoTokensBack) {
  ModelSizes sizes = kSizes;
  sizes.d_model = 256, sizes.head_dim = 64;
  const Layout layout(sizes);
  const Shard shard = repeated(40);
  for (const int64_t head : {0, 1}) EXPECT_GT(attention_to(layout, shard, head, 1), 5) << head;
  for (const int64_t head : {2, 3}) EXPECT_GT(attention_to(layout, shard, head, 2), 5) << head;
  EXPECT_LT(attention_to(layout, shard, 0, 7), 1);
}

TEST(TrainInitial, OfThreeLayersTheLastHeadsSeeWhatIsNear) {
  ModelSizes sizes = kSizes;
  sizes.d_model = 256, sizes.head_dim = 64, sizes.n_layers = 3;
  const Layout layout(sizes);
  const Shard shard = repeated(40);
  EXPECT_GT(attention_to(layout, shard, 0, 1), 5);
  EXPECT_GT(attention_to(layout, shard, 2, 2), 5);
  for (const Eigen::Index back : {3, 4, 5}) EXPECT_GT(attention_to(layout, shard, 1, back), 2) << back;
  for (const Eigen::Index back : {8, 9, 10}) EXPECT_GT(attention_to(layout, shard, 3, back), 2) << back;
  EXPECT_LT(attention_to(layout, shard, 1, 16), 0.5);
}

TEST(TrainInitial, TwinsBeginAlikeAndStrangersDoNot) {
  const Layout layout(kSizes);
  const auto half = static_cast<int32_t>(kSizes.n_vocab / 2);
  std::vector<int32_t> twins(static_cast<size_t>(kSizes.n_vocab), -1);
  for (int32_t id = 0; id < half; ++id) twins[static_cast<size_t>(id)] = id + half;
  const Floats values = initial_parameters(layout, 4, twins);
  Matrix<float> rows = ConstMap<float>(values.data() + layout.embedding, kSizes.n_vocab, kSizes.d_model);
  rows.rowwise() -= rows.colwise().mean().eval();  // what all tokens have in common
  rows.rowwise().normalize();
  float with_twins = 0, with_strangers = 0;
  for (int32_t id = 0; id < half; ++id) {
    with_twins += rows.row(id).dot(rows.row(id + half)) / static_cast<float>(half);
    with_strangers += std::abs(rows.row(id).dot(rows.row((id + 1) % half + half))) / static_cast<float>(half);
  }
  EXPECT_GT(with_twins, 0.85f);
  EXPECT_LT(with_strangers, 0.15f);
}

TEST(TrainInitial, ATwinIsTheSameWordWithoutItsSpace) {
  const hearth::testing::TempDir folder;
  const auto tokenizer = make_tokenizer(make_vocabulary(1, 700), folder.file("v.gguf"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto twins = twins_of(*tokenizer);
  ASSERT_EQ(twins.size(), static_cast<size_t>(tokenizer->n_vocab()));
  int pairs = 0;
  for (int32_t id = 0; id < tokenizer->n_vocab(); ++id) {
    const int32_t twin = twins[static_cast<size_t>(id)];
    if (twin < 0) continue;
    EXPECT_EQ(tokenizer->piece(id), " " + std::string(tokenizer->piece(twin)));
    ++pairs;
  }
  EXPECT_GT(pairs, 40);
}

TEST(TrainInitial, ADeeperModelBeginsWhereTheOtherEnded) {
  ModelSizes deep = kSizes;
  deep.n_layers = 5;
  const Layout from(kSizes), to(deep);
  const Floats trained = initial_parameters(from, 1);
  const Floats values = deepened(trained, from, to, 2);
  ASSERT_EQ(values.size(), static_cast<size_t>(to.n_parameters));
  const Shard shard = repeated(9);
  Network<float> a(from), b(to);
  a.forward(trained.data(), shard);
  b.forward(values.data(), shard);
  EXPECT_EQ((a.logits() - b.logits()).norm(), 0.0f);

  // The new layers are not dead: what they write gets a gradient.
  Floats gradient(values.size());
  b.backward(values.data(), shard, 1.0f, gradient.data());
  const int64_t at = to.layers.back().down;
  EXPECT_GT((Eigen::Map<const Eigen::ArrayXf>(gradient.data() + at, deep.d_model * deep.d_ff).abs().maxCoeff()), 0.0f);
}

TEST(TrainInitial, OtherWidthsAndFewerLayersAreRefused) {
  ModelSizes wide = kSizes, shallow = kSizes;
  wide.d_ff *= 2;
  shallow.n_layers = 1;
  const Layout from(kSizes);
  const Floats trained = initial_parameters(from, 1);
  EXPECT_TRUE(deepened(trained, from, Layout(wide), 2).empty());
  EXPECT_TRUE(deepened(trained, from, Layout(shallow), 2).empty());
  EXPECT_TRUE(deepened({}, from, from, 2).empty());
}

}  // namespace
}  // namespace train
