// Whole runs at a tiny size: resuming, threads, the exported file, and that the loss falls.
#include "examples/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "examples/train/corpus.h"
#include "examples/train/export.h"
#include "hearth/session.h"
#include "tests/support/temp_dir.h"

namespace train {
namespace {

using hearth::testing::TempDir;

class TrainRun : public ::testing::Test {
 protected:
  void SetUp() override {
    Dice dice(1, Split::kTraining);
    std::string text;
    for (int i = 0; i < 300; ++i) text += document(dice, Stage::kMixed).text;
    vocabulary_ = learn_vocabulary(text, 512, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
    const auto tokenizer = make_tokenizer(vocabulary_, folder_.file("v.gguf"));
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_.emplace(*tokenizer);
    ASSERT_TRUE(find_preset("tiny", sizes_));
    sizes_.n_vocab = static_cast<int64_t>(vocabulary_.size());
    sizes_.n_ctx = 128;
    options_.shards = 3;
    options_.shard_tokens = 256;
    options_.optimizer.steps = 8;
    options_.optimizer.warmup = 2;
  }

  Trainer trainer(int n_threads) const { return {options_, sizes_, *tokenizer_, n_threads}; }

  TempDir folder_;
  Vocabulary vocabulary_;
  std::optional<hearth::Tokenizer> tokenizer_;
  ModelSizes sizes_;
  RunOptions options_;
};

TEST_F(TrainRun, ResumedRunEqualsUninterruptedRun) {
  Trainer whole = trainer(1), first = trainer(1), second = trainer(2);
  for (int i = 0; i < 6; ++i) whole.step();
  for (int i = 0; i < 3; ++i) first.step();
  ASSERT_TRUE(first.save(folder_.file("checkpoint")));
  ASSERT_TRUE(second.load(folder_.file("checkpoint")));
  EXPECT_EQ(second.steps_done(), 3);
  for (int i = 0; i < 3; ++i) second.step();  // on two threads, too
  EXPECT_EQ(whole.parameters(), second.parameters());
}

TEST_F(TrainRun, ACheckpointOfOtherOptionsOrCutShortIsRefused) {
  Trainer one = trainer(1);
  one.step();
  ASSERT_TRUE(one.save(folder_.file("checkpoint")));
  options_.optimizer.rate *= 2;
  Trainer other = trainer(1);
  const Floats before = other.parameters();
  EXPECT_FALSE(other.load(folder_.file("checkpoint")));
  EXPECT_FALSE(other.load(folder_.file("absent")));
  options_.optimizer.rate /= 2;
  std::filesystem::resize_file(folder_.file("checkpoint"), std::filesystem::file_size(folder_.file("checkpoint")) - 1);
  Trainer same = trainer(1);
  EXPECT_FALSE(same.load(folder_.file("checkpoint")));
  EXPECT_EQ(before, other.parameters());
  EXPECT_EQ(before, same.parameters());
}

/// Normalized mean squared error of the library's logits against the trainer's, over one held-out prompt.
double logits_error(const std::string& path, const Layout& layout, const Floats& parameters,
                    const hearth::Tokenizer& tokenizer) {
  Shard shard;
  for (const HeldOutQuestion& question : held_out_questions(1)) {
    shard.ids = *tokenizer.encode(question.prompt, {.parse_special = true});
  }
  shard.ids.resize(std::min<size_t>(shard.ids.size(), 100));
  shard.targets.assign(shard.ids.size(), 0);
  shard.weights.assign(shard.ids.size(), 1.0f);
  shard.starts = {0, static_cast<int64_t>(shard.ids.size())};
  Network<float> network(layout);
  network.forward(parameters.data(), shard);

  const auto model = hearth::Model::open(path);
  EXPECT_TRUE(model) << model.error().message;
  const auto n = static_cast<int32_t>(shard.ids.size());
  auto session = hearth::Session::create(
      *model,
      {.n_ctx = 128, .n_logits = n, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32, .n_threads = 1});
  EXPECT_TRUE(session) << session.error().message;
  std::vector<hearth::BatchToken> batch;
  for (int32_t i = 0; i < n; ++i) batch.push_back({shard.ids[static_cast<size_t>(i)], i, 0, true});
  EXPECT_TRUE(session->decode(batch));
  double error = 0, size = 0;
  for (int32_t i = 0; i < n; ++i) {
    const auto row = session->logits(static_cast<size_t>(i));
    for (size_t j = 0; j < row.size(); ++j) {
      const double expected = static_cast<double>(network.logits()(i, static_cast<Eigen::Index>(j)));
      error += (static_cast<double>(row[j]) - expected) * (static_cast<double>(row[j]) - expected);
      size += expected * expected;
    }
  }
  return error / size;
}

TEST_F(TrainRun, ExportedFileGivesTheTrainersLogits) {
  Trainer run = trainer(1);
  for (int i = 0; i < 8; ++i) run.step();
  const struct {
    hearth::TensorType type;
    double limit;
  } cases[] = {{hearth::TensorType::kF32, 1e-6}, {hearth::TensorType::kF16, 1e-5}, {hearth::TensorType::kQ8_0, 1e-2}};
  for (const auto& [type, limit] : cases) {
    const std::string path = folder_.file("model.gguf");
    const auto status = export_model(path, run.layout(), run.parameters(), vocabulary_, card_of("base"), type);
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_LT(logits_error(path, run.layout(), run.parameters(), *tokenizer_), limit) << static_cast<int>(type);
  }
}

TEST_F(TrainRun, TheRateRisesThenFalls) {
  const OptimizerOptions o{.final_share = 0.1, .warmup = 10, .steps = 100};
  EXPECT_DOUBLE_EQ(rate_share(o, 0), 0.1);
  EXPECT_DOUBLE_EQ(rate_share(o, 9), 1.0);
  EXPECT_NEAR(rate_share(o, 55), 0.55, 1e-9);
  EXPECT_NEAR(rate_share(o, 100), 0.1, 1e-9);
}

using SlowTrainRun = TrainRun;

TEST_F(SlowTrainRun, LossFallsBelowABound) {
  options_.shards = 2;
  options_.shard_tokens = 1024;
  options_.optimizer.steps = 300;
  options_.optimizer.warmup = 20;
  options_.optimizer.rate = 5e-3;
  options_.optimizer.matrix_rate = 1e-2;
  Trainer run = trainer(2);
  const double before = run.validation_loss(1);
  EXPECT_NEAR(before, std::log(static_cast<double>(sizes_.n_vocab)), 0.3);
  while (run.steps_done() < options_.optimizer.steps) run.step();
  EXPECT_LT(run.validation_loss(2), 1.6);  // measured: 1.37
}

}  // namespace
}  // namespace train
