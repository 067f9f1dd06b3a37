// How work is shared out over many cores, by the model of tests/support/schedule_model.h: with the times that
// hearth_bench_schedule measured on two cores (an Emerald Rapids virtual machine, AVX-512, 2026-11-29; a model in the
// shape of Llama-3.1-8B with four layers, Q4_K_M), it must say what the two took together, and that 64 would mostly
// compute.
#include "tests/support/schedule_stages.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace hearth {
namespace {

using Kind = ScheduleStage::Kind;
using Stages = std::vector<ScheduleStage>;

constexpr ScheduleAttention kHeads{32, 8};
constexpr int kMeasuredLayers = 4;
constexpr int kLayers = 32;

/// One token: between attention and the output projection nothing but quantizing 4096 activations happens, so that the
/// rest of what the caller does alone before the other products is norms.
const Stages kTokenLayer = {
    {"norm", Kind::kSerial, 12556},
    {"quantize", Kind::kQuantize, 12716, 1, {}, false, 4096},
    {"q, k, v", Kind::kTiles, 1320268, 1, {{4096, 2304}, {1024, 2304}, {1024, 2304}}},
    {"position", Kind::kPosition, 33926},
    {"attend", Kind::kAttend, 120712},
    {"quantize", Kind::kQuantize, 12716, 1, {}, false, 4096},
    {"output", Kind::kTiles, 863439, 1, {{4096, 2304}}},
    {"norm", Kind::kSerial, 10466},
    {"quantize", Kind::kQuantize, 12716, 1, {}, false, 4096},
    {"gate, up", Kind::kTiles, 5847300, 1, {{14336, 2304}, {14336, 2304}}, true},
    {"quantize", Kind::kQuantize, 39816, 1, {}, false, 14336},
    {"down", Kind::kTiles, 3428446, 1, {{4096, 8064}}},
};
const Stages kTokenEnd = {
    {"norm", Kind::kSerial, 13511},
    {"quantize", Kind::kQuantize, 12716, 1, {}, false, 4096},
    {"logits", Kind::kTiles, 34087441, 1, {{128256, 3360}}},
    {"alone", Kind::kSerial, 8536},
};
constexpr double kTokenNs = 42.13e6;  ///< measured on two threads

const Stages kPromptBegin = {
    {"alone", Kind::kSerial, 448000},
    {"embed", Kind::kRows, 6517573, 512},
    {"angles", Kind::kRows, 2990533, 512},
    {"norm", Kind::kRows, 3150966, 512},
};
/// The mean of the three layers that are computed for all tokens.
const Stages kPromptLayer = {
    {"alone", Kind::kSerial, 19586},
    {"quantize", Kind::kGroups, 3557033, 512},
    {"alone", Kind::kSerial, 2866},
    {"q, k, v", Kind::kTiles, 83856820, 512, {{4096, 2304}, {1024, 2304}, {1024, 2304}}},
    {"alone", Kind::kSerial, 3210},
    {"position", Kind::kRows, 3636802, 512},
    {"alone", Kind::kSerial, 7852},
    {"attend", Kind::kAttend, 25125913, 512},
    {"alone", Kind::kSerial, 18130},
    {"quantize", Kind::kGroups, 3791392, 512},
    {"alone", Kind::kSerial, 3862},
    {"output", Kind::kTiles, 64019052, 512, {{4096, 2304}}},
    {"alone", Kind::kSerial, 9577},
    {"norm", Kind::kRows, 2839994, 512},
    {"alone", Kind::kSerial, 17881},
    {"quantize", Kind::kGroups, 3755804, 512},
    {"alone", Kind::kSerial, 3397},
    {"gate, up", Kind::kTiles, 349403861, 512, {{14336, 2304}, {14336, 2304}}, true},
    {"alone", Kind::kSerial, 16367},
    {"quantize", Kind::kGroups, 10947315, 512},
    {"alone", Kind::kSerial, 4462},
    {"down", Kind::kTiles, 224899535, 512, {{4096, 8064}}},
    {"alone", Kind::kSerial, 6042},
    {"norm", Kind::kRows, 2409365, 512},
};
/// After its attention the last layer is computed for the last token alone.
const Stages kPromptEnd = {
    {"alone", Kind::kSerial, 14283},
    {"quantize", Kind::kGroups, 2827761, 512},
    {"alone", Kind::kSerial, 9291},
    {"q, k, v", Kind::kTiles, 114950474, 512, {{4096, 2304}, {1024, 2304}, {1024, 3360}}},
    {"alone", Kind::kSerial, 3023},
    {"position", Kind::kRows, 2624863, 512},
    {"alone", Kind::kSerial, 5118},
    {"attend", Kind::kAttend, 17236861, 512},
    {"alone", Kind::kSerial, 24741},
    {"output", Kind::kTiles, 639251, 1, {{4096, 2304}}},
    {"alone", Kind::kSerial, 29476},
    {"gate, up", Kind::kTiles, 4339147, 1, {{14336, 2304}, {14336, 2304}}, true},
    {"alone", Kind::kSerial, 25737},
    {"down", Kind::kTiles, 2821224, 1, {{4096, 11760}}},
    {"alone", Kind::kSerial, 23444},
    {"logits", Kind::kTiles, 25899480, 1, {{128256, 3360}}},
    {"alone", Kind::kSerial, 10400},
};
constexpr double kPromptNs = 1383.68e6;  ///< measured on two threads

ScheduleModel play(int n_threads, const Stages& begin, const Stages& layer, int n_layers, const Stages& end) {
  SchedulePlayer player(n_threads, kHeads, {});
  for (const ScheduleStage& stage : begin) player.play(stage);
  for (int l = 0; l < n_layers; ++l) {
    for (const ScheduleStage& stage : layer) player.play(stage);
  }
  for (const ScheduleStage& stage : end) player.play(stage);
  return player.model();
}

ScheduleModel token(int n_threads, int n_layers) {
  return play(n_threads, {}, kTokenLayer, n_layers, kTokenEnd);
}
ScheduleModel prompt(int n_threads, int n_layers) {
  return play(n_threads, kPromptBegin, kPromptLayer, n_layers - 1, kPromptEnd);
}

TEST(Schedule, OneThreadNeverWaits) {
  ScheduleModel model(1);
  model.serial(10);
  model.tasks(std::vector<double>(7, 5.0));
  model.tiles(std::vector<double>(9, 2.0));
  EXPECT_DOUBLE_EQ(model.now_ns(), 10 + 35 + 18);
  EXPECT_DOUBLE_EQ(model.wait_ns(0), 0);
}

TEST(Schedule, TasksOfEveryForkAreDoneOnce) {
  for (int n_threads : {2, 3, 16, 64, 128}) {
    for (size_t n : {1U, 2U, 16U, 63U, 64U, 65U, 1000U}) {
      ScheduleModel model(n_threads);
      std::vector<double> ns(n);
      std::iota(ns.begin(), ns.end(), 1000.0);
      model.tasks(ns);
      model.tiles(ns);
      double busy = 0;
      for (int i = 0; i < n_threads; ++i) busy += model.busy_ns(i);
      EXPECT_NEAR(busy, 2 * std::accumulate(ns.begin(), ns.end(), 0.0), 1e-3) << n_threads << " threads, " << n;
      EXPECT_GE(model.now_ns() * n_threads, busy);
    }
  }
}

TEST(Schedule, OneLongTileKeepsTheOthersWaiting) {
  std::vector<double> ns(64, 1000.0);
  ns[5] = 50000.0;
  ScheduleModel model(16);
  model.tiles(ns);
  EXPECT_GT(model.now_ns(), 50000.0);
  EXPECT_LT(model.now_ns(), 54000.0);  // others take what else was in that thread's part
  EXPECT_GT(model.wait_ns(0), 40000.0);
}

TEST(Schedule, SaysWhatTwoThreadsTook) {
  EXPECT_NEAR(token(2, kMeasuredLayers).now_ns() / kTokenNs, 1.0, 0.1);
  EXPECT_NEAR(prompt(2, kMeasuredLayers).now_ns() / kPromptNs, 1.0, 0.1);
}

TEST(Schedule, SixtyFourThreadsMostlyComputePrompts) {
  const ScheduleModel model = prompt(64, kLayers);
  EXPECT_GE(model.kernel_share(), 0.85);
  for (int i = 0; i < 64; ++i) EXPECT_LE(model.wait_ns(i), 0.2 * model.now_ns()) << "thread " << i;
}

TEST(Schedule, SixtyFourThreadsMostlyComputeTokens) {
  const ScheduleModel model = token(64, kLayers);
  EXPECT_GE(model.kernel_share(), 0.70);
}

TEST(Schedule, MoreThreadsAreNotSlower) {
  for (const auto& run : {token, prompt}) {
    double before = run(1, kLayers).now_ns();
    for (int n_threads : {2, 4, 8, 16, 32, 64}) {
      const double now = run(n_threads, kLayers).now_ns();
      EXPECT_LT(now, 0.8 * before) << n_threads << " threads";
      before = now;
    }
  }
}

}  // namespace
}  // namespace hearth
