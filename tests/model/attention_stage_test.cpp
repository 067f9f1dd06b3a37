// The attention stage against a softmax over all visible positions in double precision: windows, sinks, soft caps,
// gated queries, keys and values of another layer.
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "lib/model/paged_attention.h"
#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;
using testing::Vec;

constexpr size_t kHeads = FamilyModel::kHeads, kKvHeads = FamilyModel::kKvHeads, kDim = FamilyModel::kHeadDim;

/// What a stage is expected to do beyond softmax(q k^T / sqrt(dim)) v. Positions do not rotate.
struct Expected {
  int layer = 0;
  int kv_layer = 0;  ///< whose keys and values are read
  int before = 1000, after = 0;
  double scale = 1 / std::sqrt(static_cast<double>(kDim));
  double cap = 0;
  std::vector<float> sinks{};
  bool gated = false;
};

const testing::TinyModel::Tensor& tensor(const FamilyModel& family, int layer, const std::string& name) {
  return family.tiny.tensors.at("blk." + std::to_string(layer) + "." + name);
}

/// What is expected of one token.
struct Outcome {
  Vec y;
  std::vector<Vec> shares;  ///< [head][position] of attention
};

/// Output of one query head of token t over keys and values [n][kv heads * dim]; shares [n] of the values in it.
Vec attend_head(const Expected& e, size_t head, const Vec& q, const std::vector<Vec>& keys,
                const std::vector<Vec>& values, size_t t, Vec& shares) {
  const size_t kv = head / (kHeads / kKvHeads) * kDim;
  Vec out(kDim, 0.0);
  shares.assign(keys.size(), 0.0);
  double sum = e.sinks.empty() ? 0.0 : std::exp(double{e.sinks[head]});
  for (size_t s = 0; s < keys.size(); ++s) {
    const auto distance = static_cast<int>(t) - static_cast<int>(s);
    if (distance > e.before || -distance > e.after) continue;
    double score = testing::dot(q.data(), keys[s].data() + kv, kDim) * e.scale;
    if (e.cap > 0) score = e.cap * std::tanh(score / e.cap);
    sum += std::exp(score);
    shares[s] = std::exp(score);
    for (size_t d = 0; d < kDim; ++d) out[d] += std::exp(score) * values[s][kv + d];
  }
  for (double& value : out) value /= sum;
  for (double& share : shares) share /= sum;
  return out;
}

/// Of every token, from inputs h of the layer and of the layer whose keys and values are read.
std::vector<Outcome> oracle(const FamilyModel& family, const Expected& e, const std::vector<Vec>& h,
                            const std::vector<Vec>& kv_h) {
  std::vector<Vec> keys, values;
  std::vector<Outcome> outcomes;
  for (const Vec& row : kv_h) {
    keys.push_back(testing::times(tensor(family, e.kv_layer, "attn_k.weight"), row));
    values.push_back(testing::times(tensor(family, e.kv_layer, "attn_v.weight"), row));
  }
  for (size_t t = 0; t < h.size(); ++t) {
    const Vec q = testing::times(tensor(family, e.layer, "attn_q.weight"), h[t]);
    Vec heads;
    Outcome token{{}, std::vector<Vec>(kHeads)};
    for (size_t head = 0; head < kHeads; ++head) {
      const double* own = q.data() + head * kDim * (e.gated ? 2 : 1);
      Vec out = attend_head(e, head, Vec(own, own + kDim), keys, values, t, token.shares[head]);
      for (size_t d = 0; d < kDim && e.gated; ++d) out[d] *= testing::sigmoid(own[kDim + d]);
      heads.insert(heads.end(), out.begin(), out.end());
    }
    token.y = testing::times(tensor(family, e.layer, "attn_output.weight"), heads);
    outcomes.push_back(std::move(token));
  }
  return outcomes;
}

std::vector<BatchToken> tokens_at(int32_t pos, int n) {
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < n; ++i) batch.push_back({1, pos + i, 0, true});
  return batch;
}

/// What the stage that has just run attended to, as attention_weights() tells: [head, position] of the batch's last.
std::vector<float> weights_seen(StageWorld& world, int layer, std::span<const BatchToken> batch) {
  const int64_t n_positions = batch.back().pos + 1;
  std::vector<float> weights(kHeads * static_cast<size_t>(n_positions), -1.0f);
  attention_weights(world.c, layer, batch, static_cast<int>(batch.size()) - 1, weights, n_positions);
  return weights;
}

/// The stage over n tokens, `step` at a time, is what the oracle says, and so are the weights of the last token of each
/// step.
void expect_stage(const Architecture& arch, const FamilyModel& family, const Expected& e, int n, int step) {
  StageWorld world(arch, family.tiny);
  std::vector<Vec> h, kv_h;
  std::vector<std::vector<float>> outputs;
  std::map<size_t, std::vector<float>> weights;  // by token
  const size_t width = FamilyModel::kWidth;
  for (int at = 0; at < n; at += step) {
    const auto batch = tokens_at(at, std::min(step, n - at));
    const auto count = static_cast<int>(batch.size());
    std::vector<int32_t> rows(batch.size());
    std::iota(rows.begin(), rows.end(), 0);
    world.reserve(batch);
    const auto source =
        testing::random_rows(world.scratch().h, count, FamilyModel::kWidth, 50u + static_cast<unsigned>(at));
    kv_h.insert(kv_h.end(), source.begin(), source.end());
    if (e.kv_layer != e.layer) attention(world.c, e.kv_layer, batch, rows);
    const auto own = e.kv_layer == e.layer ? source
                                           : testing::random_rows(world.scratch().h, count, FamilyModel::kWidth,
                                                                  90u + static_cast<unsigned>(at));
    h.insert(h.end(), own.begin(), own.end());
    attention(world.c, e.layer, batch, rows);
    weights[static_cast<size_t>(batch.back().pos)] = weights_seen(world, e.layer, batch);
    for (size_t i = 0; i < batch.size(); ++i) {
      const float* y = world.scratch().y + i * width;
      outputs.emplace_back(y, y + width);
    }
  }
  const auto expected = oracle(family, e, h, kv_h);
  for (size_t t = 0; t < expected.size(); ++t) {
    const std::string what = std::string(arch.name) + " token " + std::to_string(t) + " by " + std::to_string(step);
    testing::expect_close(outputs[t].data(), expected[t].y, what);
    if (weights.count(t) == 0) continue;
    for (size_t head = 0; head < kHeads; ++head) {
      Vec shares = expected[t].shares[head];
      shares.resize(t + 1);  // those after it, which a causal layer does not see, were not computed yet
      testing::expect_close(weights[t].data() + head * (t + 1), shares, what + ", weights of a head");
    }
  }
}

void expect_stage(const Architecture& arch, const FamilyModel& family, const Expected& e) {
  for (const int step : {1, 7, 50}) expect_stage(arch, family, e, 50, step);
}

TEST(AttentionStage, SoftmaxOverAllEarlierPositions) {
  const Architecture arch{.name = "plain", .rope = RopeLayout::kNone};
  expect_stage(arch, FamilyModel(arch), {});
}

TEST(AttentionStage, TheFilesScale) {
  const Architecture arch{.name = "scaled", .rope = RopeLayout::kNone};
  FamilyModel family(arch);
  family.number("attention.scale", 0.125f);
  expect_stage(arch, family, {.scale = 0.125});
}

TEST(AttentionStage, SoftCap) {
  const Architecture arch{.name = "capped", .rope = RopeLayout::kNone, .attention_soft_cap = 0.5f};
  expect_stage(arch, FamilyModel(arch), {.cap = 0.5});
}

TEST(AttentionStage, Sinks) {
  const Architecture arch{.name = "sinks", .rope = RopeLayout::kNone};
  FamilyModel family(arch);
  for (int i = 0; i < FamilyModel::kLayers; ++i) {
    family.tiny.add("blk." + std::to_string(i) + ".attn_sinks.weight", {FamilyModel::kHeads}, 2.0f);
  }
  expect_stage(arch, family, {.sinks = tensor(family, 0, "attn_sinks.weight").values});
}

TEST(AttentionStage, Window) {
  const Architecture arch{
      .name = "window", .rope = RopeLayout::kNone, .window = WindowPattern::kInterval, .window_interval = 2};
  const FamilyModel family(arch);  // windows of 20 positions, the query's own among them
  expect_stage(arch, family, {.before = 19});
  expect_stage(arch, family, {.layer = 1, .kv_layer = 1});
}

TEST(AttentionStage, SymmetricWindowOfAnEncoder) {
  const Architecture arch{.name = "encoder",
                          .rope = RopeLayout::kNone,
                          .window = WindowPattern::kInterval,
                          .window_interval = 2,
                          .window_symmetric = true,
                          .causal = false};
  expect_stage(arch, FamilyModel(arch), {.before = 10, .after = 10}, 50, 50);
  expect_stage(arch, FamilyModel(arch), {.layer = 1, .kv_layer = 1, .after = 1000}, 50, 50);
}

// A row of options that no model has: gated queries without recurrent layers.
TEST(AttentionStage, GatedQueries) {
  const Architecture arch{.name = "gated", .rope = RopeLayout::kNone, .gated_queries = true};
  expect_stage(arch, FamilyModel(arch), {.gated = true});
}

/// The last two of four layers use the keys and values of the last earlier layer of their kind.
struct SharedKv {
  Architecture arch{
      .name = "shared", .rope = RopeLayout::kNone, .window = WindowPattern::kInterval, .window_interval = 2};
  FamilyModel family{arch};
  SharedKv() {
    family.integer("attention.shared_kv_layers", 2);
    for (const char* name : {"blk.2.attn_k", "blk.2.attn_v", "blk.3.attn_k", "blk.3.attn_v"}) {
      family.tiny.tensors.erase(std::string(name) + ".weight");
    }
  }
};

TEST(AttentionStage, SharedLayersNameTheirSource) {
  const SharedKv shared;
  const StageWorld world(shared.arch, shared.family.tiny);
  std::vector<int> sources;
  for (const LayerShape& layer : world.hp().layers) sources.push_back(layer.kv_layer);
  EXPECT_EQ(sources, (std::vector<int>{0, 1, 0, 1}));
}

TEST(AttentionStage, SharedLayersReadTheirSource) {
  const SharedKv shared;
  expect_stage(shared.arch, shared.family, {.layer = 2, .kv_layer = 0, .before = 19});
  expect_stage(shared.arch, shared.family, {.layer = 3, .kv_layer = 1});
}

std::vector<int> windows(const Architecture& arch, const std::function<void(FamilyModel&)>& adjust) {
  FamilyModel family(arch);
  adjust(family);
  const StageWorld world(arch, family.tiny);
  std::vector<int> all;
  for (const LayerShape& layer : world.hp().layers) all.push_back(layer.window);
  return all;
}

TEST(WindowPattern, LayersSlideAsTheRowOrTheFileSays) {
  const auto nothing = [](FamilyModel&) {};
  EXPECT_EQ(windows({.name = "w"}, nothing), (std::vector<int>{0, 0, 0, 0}));  // whatever the file says
  const Architecture third{.name = "w", .window = WindowPattern::kInterval, .window_interval = 3};
  EXPECT_EQ(windows(third, nothing), (std::vector<int>{20, 20, 0, 20}));
  const auto own_interval = [](FamilyModel& m) { m.integer("attention.sliding_window_pattern", 2); };
  EXPECT_EQ(windows(third, own_interval), (std::vector<int>{20, 0, 20, 0}));
  const Architecture from_file{.name = "w", .window = WindowPattern::kFromFile};
  EXPECT_EQ(windows(from_file, own_interval), (std::vector<int>{20, 0, 20, 0}));
  const auto no_width = [](FamilyModel& m) { m.integer("attention.sliding_window", 0); };
  EXPECT_EQ(windows(third, no_width), (std::vector<int>{0, 0, 0, 0}));
}

TEST(WindowPattern, TheDefaultHoldsWhereTheFileIsSilent) {
  const Architecture arch{.name = "w", .window = WindowPattern::kInterval, .window_interval = 2, .window_default = 77};
  const auto silent = [](FamilyModel& m) { m.tiny.ints.erase("w.attention.sliding_window"); };
  EXPECT_EQ(windows(arch, silent), (std::vector<int>{77, 0, 77, 0}));
}

}  // namespace
}  // namespace hearth
