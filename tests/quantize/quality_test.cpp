// Perplexity and divergence on the project's own small models: packing, files, ways to end, and what is refused.
#include "hearth/quality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "lib/quantize/base_logits.h"
#include "lib/quantize/quality_report.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {
namespace {

constexpr MeasureOptions kShort = {.chunk_size = 64, .max_chunks = 3};

std::string model_path(const char* name) {
  return hearth::testing::source_dir() + "/examples/models/" + name;
}

std::string sample_text() {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Mia has a red kite. Tom has " + std::to_string(i) + " blue boats. ";
  return text;
}

class Quality : public ::testing::Test {
 protected:
  Quality()
      : model(Model::open(model_path("small-world-draft-q8_0.gguf"))),
        base(Model::open(model_path("small-world-q8_0.gguf"))) {}
  Result<Model> model, base;
  TempDir dir;
};

/// Sum over the vocabulary, without packing.
double exact_kld(const LogitsRow& p, const LogitsRow& q) {
  double sum = 0;
  for (size_t i = 0; i < p.logits.size(); ++i) sum += std::exp(p.ln_p(i)) * (p.ln_p(i) - q.ln_p(i));
  return sum;
}

/// Also large vocabularies whose tails carry much weight, where all but 512 entries are binned: what is left of 20 rows
/// is noise.
TEST(PackedRow, DivergenceIsThatOfTheWholeRow) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const size_t n : {size_t{5}, size_t{512}, size_t{513}, size_t{20001}}) {
    for (const float spread : {3.0f, 6.0f}) {
      for (const float noise : {0.02f, 0.2f, 1.0f}) {
        double packed_sum = 0, exact_sum = 0;
        std::vector<float> p(n), q(n);
        std::vector<std::byte> bytes(PackedRow::bytes(n));
        for (int repeat = 0; repeat < 20; ++repeat) {
          for (size_t i = 0; i < n; ++i) {
            p[i] = spread * normal(random);
            q[i] = p[i] * 0.98f + noise * normal(random);
          }
          const LogitsRow base(p), row(q);
          PackedRow::pack(base, 3, bytes.data());
          const auto c = PackedRow::compare(bytes.data(), row, 3);
          ASSERT_TRUE(c);
          packed_sum += c->kld;
          exact_sum += exact_kld(base, row);
          EXPECT_EQ(c->base_nll, -base.ln_p(3));
          EXPECT_EQ(c->same_top, base.top == row.top);
          EXPECT_EQ(c->dp, std::exp(row.ln_p(3)) - std::exp(base.ln_p(3)));
        }
        EXPECT_NEAR(packed_sum, exact_sum, (n <= PackedRow::kTop ? 1e-5 : 5e-3) * exact_sum)
            << n << " " << spread << " " << noise;
      }
    }
  }
}

TEST(PackedRow, TakesHalfAByteAnEntry) {
  EXPECT_LT(PackedRow::bytes(128000), 128000u / 2 + 4500);
}

TEST(PackedRow, LogitsOfMinusInfinityAreNoTrouble) {
  std::vector<float> p = {0, 1, -INFINITY}, q = {0, 1, -INFINITY};
  std::vector<std::byte> bytes(PackedRow::bytes(3));
  PackedRow::pack(LogitsRow(p), 0, bytes.data());
  EXPECT_NEAR(PackedRow::compare(bytes.data(), LogitsRow(q), 0)->kld, 0, 1e-9);
}

/// By hand: two tokens.
TEST(QualityReport, FormulasOfTheFirstTwoTokens) {
  const std::vector<ScoredToken> tokens = {{1.0, 0.5, 0.2, -0.1, true}, {3.0, 2.5, 0.4, 0.3, false}};
  const PerplexityReport r = report_on(tokens, true, true);
  EXPECT_DOUBLE_EQ(r.nll.value, 2);
  EXPECT_DOUBLE_EQ(r.nll.error, 1);
  EXPECT_DOUBLE_EQ(r.perplexity.value, std::exp(2.0));
  EXPECT_DOUBLE_EQ(r.perplexity.error, std::exp(2.0));
  const Divergence& d = *r.divergence;
  EXPECT_DOUBLE_EQ(d.base_perplexity.value, std::exp(1.5));
  EXPECT_DOUBLE_EQ(d.ln_ratio.value, 0.5);
  EXPECT_NEAR(d.ln_ratio.error, 0, 1e-9);
  EXPECT_NEAR(d.correlation, 1, 1e-12);
  EXPECT_NEAR(d.kld.value, 0.3, 1e-12);
  EXPECT_NEAR(d.kld.error, 0.1, 1e-12);
  EXPECT_NEAR(d.dp.value, 0.1, 1e-12);
  EXPECT_NEAR(d.dp_rms.value, std::sqrt(0.05), 1e-12);
  EXPECT_NEAR(d.dp_rms.error, 0.5 / std::sqrt(0.05) * 0.04, 1e-12);
  EXPECT_DOUBLE_EQ(d.same_top.value, 0.5);
  EXPECT_DOUBLE_EQ(d.same_top.error, 0.5);
  EXPECT_NEAR(d.kld_percentiles[4].value, 0.25, 1e-12);  // 25%
}

TEST_F(Quality, ASavedBaseSaysWhatTheBaseItselfSays) {
  ASSERT_TRUE(model && base);
  const auto saved = measure_perplexity(*base, sample_text(), {.run = kShort, .save_logits = dir.file("base")});
  ASSERT_TRUE(saved) << saved.error().message;
  const auto beside = measure_perplexity(*model, sample_text(), {.run = kShort, .base = &*base});
  ASSERT_TRUE(beside) << beside.error().message;
  const auto from_file = measure_perplexity(*model, "", {.run = kShort, .base_logits = dir.file("base")});
  ASSERT_TRUE(from_file) << from_file.error().message;
  EXPECT_EQ(from_file->n_scored, 3 * 31);
  EXPECT_EQ(from_file->perplexity.value, beside->perplexity.value);
  EXPECT_EQ(from_file->divergence->kld.value, beside->divergence->kld.value);
  EXPECT_EQ(from_file->divergence->base_perplexity.value, saved->perplexity.value);
  EXPECT_GT(beside->divergence->kld.value, 0.001);
  const auto itself = measure_perplexity(*base, sample_text(), {.run = kShort, .base_logits = dir.file("base")});
  EXPECT_NEAR(itself->divergence->kld.value, 0, 1e-9);
  EXPECT_EQ(itself->divergence->same_top.value, 1);
  const auto other_text =
      measure_perplexity(*base, "x" + sample_text(), {.run = kShort, .base_logits = dir.file("base")});
  ASSERT_FALSE(other_text);
  EXPECT_NE(other_text.error().message.find("another text"), std::string::npos);
}

TEST_F(Quality, ThreadsDoNotMatter) {
  ASSERT_TRUE(model && base);
  PerplexityOptions options{.run = kShort, .base = &*base};
  options.run.n_threads = 1;
  const auto one = measure_perplexity(*model, sample_text(), options);
  options.run.n_threads = 3;
  const auto three = measure_perplexity(*model, sample_text(), options);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(one->nll.value, three->nll.value);
  EXPECT_EQ(one->divergence->kld.value, three->divergence->kld.value);
}

TEST_F(Quality, ARunThatIsEndedEarlySaysWhatItHas) {
  ASSERT_TRUE(base);
  const auto one = measure_perplexity(
      *base, sample_text(),
      {.run = kShort, .save_logits = dir.file("never"), .on_progress = [](const auto&) { return false; }});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->n_chunks, 1);
  EXPECT_EQ(one->n_chunks_total, 3);
  EXPECT_EQ(dir.count(), 0u);
  std::atomic<bool> cancel = true;
  MeasureOptions run = kShort;
  run.cancel = &cancel;
  EXPECT_EQ(measure_perplexity(*base, sample_text(), {.run = run}).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(measure_importance(*base, sample_text(), {.run = run}).error().code, ErrorCode::kCancelled);
}

TEST_F(Quality, WhatCannotBeMeasuredIsRefused) {
  ASSERT_TRUE(base);
  EXPECT_FALSE(measure_perplexity(*base, "too short", {.run = kShort}));
  EXPECT_FALSE(measure_importance(*base, "too short", {.run = kShort}));
  EXPECT_FALSE(measure_perplexity(*base, sample_text(), {.run = {.chunk_size = 1}}));
  EXPECT_FALSE(measure_perplexity(*base, sample_text(), {.run = {.max_chunks = -1}}));
  EXPECT_FALSE(measure_perplexity(*base, sample_text(), {.run = kShort, .base = &*base, .base_logits = "x"}));
  EXPECT_FALSE(measure_perplexity(*base, sample_text(), {.run = kShort, .base_logits = dir.file("none")}));
}

TEST_F(Quality, ABaseFileCutAnywhereIsRefused) {
  ASSERT_TRUE(base);
  ASSERT_TRUE(measure_perplexity(*base, sample_text(), {.run = kShort, .save_logits = dir.file("base")}));
  const std::string whole = read_file(dir.file("base"));
  for (const size_t n : {size_t{0}, size_t{7}, size_t{8}, size_t{31}, size_t{40}, size_t{500}, whole.size() - 1}) {
    dir.write("cut", whole.substr(0, n));
    EXPECT_FALSE(BaseLogitsReader::open(dir.file("cut"))) << n;
  }
  for (size_t i = 8; i < 32 + 8; ++i) {  // sizes and the first tokens, damaged
    std::string damaged = whole;
    damaged[i] = '\x7f';
    dir.write("damaged", damaged);
    const auto report = measure_perplexity(*base, "", {.run = kShort, .base_logits = dir.file("damaged")});
    if (!report) {
      EXPECT_NE(report.error().message.find("damaged"), std::string::npos);
    }
  }
}

TEST_F(Quality, ImportanceNamesEveryMatrixOfTheBlocks) {
  ASSERT_TRUE(base);
  const auto m = measure_importance(*base, sample_text(), {.run = kShort, .with_output = true, .dataset = "sample"});
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(m->n_chunks, 3);
  EXPECT_EQ(m->datasets, std::vector<std::string>{"sample"});
  for (const GgufTensor& tensor : base->file().tensors()) {
    const bool measured = (tensor.name.starts_with("blk.") && tensor.n_dims == 2);
    if (measured) {
      EXPECT_EQ(m->weights(tensor.name).size(), static_cast<size_t>(tensor.dims[0])) << tensor.name;
      EXPECT_EQ(m->find(tensor.name)->counts, std::vector<float>{3 * 64});
    }
  }
  EXPECT_NE(m->find("token_embd.weight") != nullptr, m->find("output.weight") != nullptr);
}

}  // namespace
}  // namespace hearth::testing
