// Quantizer: what it writes, what it refuses, and what is left behind when it fails.
#include "hearth/quantizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "hearth/model.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

namespace hearth {
namespace {

constexpr testing::TinyShape kShape{.d_model = 256, .n_heads = 8, .n_kv_heads = 2, .head_dim = 32, .d_ff = 512};

std::string write_model(const testing::TempDir& dir, const testing::TinyModel& model) {
  const std::vector<std::byte> bytes = model.gguf();
  return dir.write("model.gguf", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string write_model(const testing::TempDir& dir) {
  return write_model(dir, testing::TinyModel(kShape));
}

Result<QuantizeReport> quantize(const std::string& from, const std::string& to, const QuantizeOptions& options) {
  Result<Quantizer> quantizer = Quantizer::open(from, options);
  if (!quantizer) return quantizer.error();
  return quantizer->run(to);
}

/// Importance of every matrix of a file: columns 0, 1, 2 ... matter more and more.
ImportanceMatrix importance_of(const std::string& path) {
  ImportanceMatrix matrix;
  const auto file = GgufFile::open(path);
  for (const GgufTensor& tensor : file->tensors()) {
    if (tensor.n_dims < 2) continue;
    ImportanceMatrix::Entry entry{std::string(tensor.name), {}, {1.0f}};
    for (int64_t i = 0; i < tensor.dims[0]; ++i) entry.sums.push_back(1.0f + static_cast<float>(i));
    EXPECT_TRUE(matrix.add(entry));
  }
  return matrix;
}

TEST(Quantizer, EveryMixMakesAFileThatRuns) {
  const testing::TempDir dir;
  const std::string from = write_model(dir), to = dir.file("out.gguf");
  const ImportanceMatrix matrix = importance_of(from);
  for (const char* name : mix_names()) {
    const auto report = quantize(from, to, {.type = name, .importance = &matrix, .importance_file = "some.gguf"});
    ASSERT_TRUE(report) << name << ": " << report.error().message;
    EXPECT_EQ(report->file_bytes, std::filesystem::file_size(to));
    const auto model = Model::open(to);
    ASSERT_TRUE(model) << name << ": " << model.error().message;
    if (std::string(name) == "COPY") continue;
    EXPECT_EQ(*model->file().get_int("general.quantization_version"), 2) << name;
    EXPECT_EQ(*model->file().get_string("quantize.imatrix.file"), "some.gguf");
    EXPECT_EQ(*model->file().get_int("quantize.imatrix.entries_count"), static_cast<int64_t>(matrix.entries().size()));
  }
}

TEST(Quantizer, KeepsMetadataAndSaysWhatItMade) {
  const testing::TempDir dir;
  testing::TinyModel model(kShape);
  model.set_int("general.file_type", 0);
  model.texts["general.name"] = "tiny";
  const std::string from = write_model(dir, model), to = dir.file("out.gguf");
  ASSERT_TRUE(quantize(from, to, {.type = "q4_k_m"}));
  const auto file = GgufFile::open(to);
  ASSERT_TRUE(file);
  EXPECT_EQ(*file->get_int("general.file_type"), 15);
  EXPECT_EQ(*file->get_string("general.name"), "tiny");
  EXPECT_EQ(file->tensor("blk.0.attn_q.weight")->type, TensorType::kQ4_K);
  EXPECT_EQ(file->tensor("blk.0.attn_norm.weight")->type, TensorType::kF32);
  EXPECT_EQ(file->tensor("output.weight")->type, TensorType::kQ6_K);
}

TEST(Quantizer, TheThreadsDoNotMatter) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  for (const char* name : {"Q4_K_M", "IQ3_S", "Q8_0"}) {
    ASSERT_TRUE(quantize(from, dir.file("one.gguf"), {.type = name, .n_threads = 1}));
    ASSERT_TRUE(quantize(from, dir.file("three.gguf"), {.type = name, .n_threads = 3}));
    EXPECT_TRUE(testing::read_file(dir.file("one.gguf")) == testing::read_file(dir.file("three.gguf"))) << name;
  }
}

TEST(Quantizer, SplitsAndMerges) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  const auto split = quantize(from, dir.file("part.gguf"), {.type = "Q8_0", .split_bytes = 300000});
  ASSERT_TRUE(split) << split.error().message;
  ASSERT_GT(split->paths.size(), 2u);
  EXPECT_TRUE(Model::open(split->paths[0]));
  ASSERT_TRUE(quantize(split->paths[0], dir.file("merged.gguf"), {.type = "COPY"}));
  ASSERT_TRUE(quantize(from, dir.file("whole.gguf"), {.type = "Q8_0"}));
  const auto merged = GgufFile::open(dir.file("merged.gguf")), whole = GgufFile::open(dir.file("whole.gguf"));
  ASSERT_TRUE(merged && whole);
  EXPECT_EQ(merged->find("split.count"), nullptr);
  ASSERT_EQ(merged->tensors().size(), whole->tensors().size());
  for (const GgufTensor& tensor : whole->tensors()) {
    const GgufTensor* same = merged->tensor(tensor.name);
    ASSERT_NE(same, nullptr);
    ASSERT_EQ(same->type, tensor.type);
    EXPECT_EQ(std::memcmp(same->data, tensor.data, tensor.size_bytes), 0) << tensor.name;
  }
}

TEST(Quantizer, OptionsDecideAboutSingleTensors) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  QuantizeOptions options{.type = "Q4_0", .output_type = TensorType::kF16, .embedding_type = TensorType::kQ8_0};
  options.overrides = {{"blk\\.1\\..*", TensorType::kQ5_1}, {"attn_q", TensorType::kQ3_K}};
  const auto quantizer = Quantizer::open(from, options);
  ASSERT_TRUE(quantizer);
  for (const TensorPlan& p : quantizer->plan()) {
    if (p.name == "output.weight") {
      EXPECT_EQ(p.target, TensorType::kF16);
    }
    if (p.name == "token_embd.weight") {
      EXPECT_EQ(p.target, TensorType::kQ8_0);
    }
    if (p.name == "blk.1.attn_q.weight") {
      EXPECT_EQ(p.target, TensorType::kQ5_1);
    }
    if (p.name == "blk.0.attn_q.weight") {
      EXPECT_EQ(p.target, TensorType::kQ3_K);
    }
    if (p.name == "blk.0.attn_k.weight") {
      EXPECT_EQ(p.target, TensorType::kQ4_0);
    }
  }
}

TEST(Quantizer, RefusesWhatWouldBeWorthless) {
  const testing::TempDir dir;
  const std::string from = write_model(dir), to = dir.file("out.gguf");
  EXPECT_EQ(quantize(from, to, {.type = "Q9_K"}).error().code, ErrorCode::kInvalidArgument);
  const auto low = quantize(from, to, {.type = "IQ2_XS"});
  ASSERT_FALSE(low);
  EXPECT_NE(low.error().message.find("importance matrix"), std::string::npos);
  const ImportanceMatrix other = [] {
    ImportanceMatrix matrix;
    EXPECT_TRUE(matrix.add({"blk.9.attn_q.weight", {1.0f, 2.0f}, {1.0f}}));
    return matrix;
  }();
  const auto missing = quantize(from, to, {.type = "IQ2_XS", .importance = &other});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("blk.0."), std::string::npos);
  ASSERT_TRUE(quantize(from, dir.file("q8.gguf"), {.type = "Q8_0"}));
  const auto again = quantize(dir.file("q8.gguf"), to, {.type = "Q4_0"});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("quantized already"), std::string::npos);
  EXPECT_TRUE(quantize(dir.file("q8.gguf"), to, {.type = "Q4_0", .requantize = true}));
}

TEST(Quantizer, NamesTheTensorOfAValueThatIsNotFinite) {
  const testing::TempDir dir;
  testing::TinyModel model(kShape);
  model.tensors["blk.1.ffn_up.weight"].values[1000] = INFINITY;
  const auto report = quantize(write_model(dir, model), dir.file("out.gguf"), {.type = "Q4_K_S"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kFormat);
  EXPECT_NE(report.error().message.find("blk.1.ffn_up.weight"), std::string::npos);
  EXPECT_EQ(dir.count(), 1u);  // the source alone
}

TEST(Quantizer, AFullDiskLeavesNothing) {
  if (!testing::FileSizeLimit::kIsThere) GTEST_SKIP() << "the system has no bound on the size of files";
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  for (const uint64_t split : {uint64_t{0}, uint64_t{300000}}) {
    const testing::FileSizeLimit full(200000);
    const auto report = quantize(from, dir.file("out.gguf"), {.type = "Q8_0", .split_bytes = split});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kIo);
  }
  EXPECT_EQ(dir.count(), 1u);
}

TEST(Quantizer, CancelsAtAnyMoment) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  for (int after = 0; after < 30; after += 7) {
    int calls = 0;
    QuantizeOptions options{.type = "Q5_K_M"};
    options.progress = [&](const QuantizeProgress& p) {
      EXPECT_LE(p.done_bytes, p.total_bytes);
      return calls++ < after;
    };
    const auto report = quantize(from, dir.file("out.gguf"), options);
    if (after < 20) {
      ASSERT_FALSE(report);
    }
    if (!report) {
      EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
    }
  }
  std::filesystem::remove(dir.file("out.gguf"));
  EXPECT_EQ(dir.count(), 1u);
}

TEST(Quantizer, NoticesThatTheSourceChanged) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  QuantizeOptions options{.type = "Q8_0"};
  bool cut = false;
  options.progress = [&](const QuantizeProgress&) {
    if (!cut) std::filesystem::resize_file(from, std::filesystem::file_size(from) / 2);
    cut = true;
    return true;
  };
  const auto report = quantize(from, dir.file("out.gguf"), options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kIo);
  EXPECT_EQ(dir.count(), 1u);
}

TEST(Quantizer, ASizeTargetIsNeverExceededAndMoreSizeErrsLess) {
  const testing::TempDir dir;
  const std::string from = write_model(dir), to = dir.file("out.gguf");
  ASSERT_TRUE(quantize(from, to, {.type = "Q2_K"}));
  const uint64_t smallest = std::filesystem::file_size(to);
  ASSERT_TRUE(quantize(from, to, {.type = "Q8_0"}));
  const uint64_t largest = std::filesystem::file_size(to);
  double last = 1;
  for (uint64_t target = smallest + 20000; target < largest + 20000; target += (largest - smallest) / 5) {
    auto quantizer = Quantizer::open(from, {.size_target = target});
    ASSERT_TRUE(quantizer) << quantizer.error().message;
    const auto error = quantizer->measure();
    ASSERT_TRUE(error);
    EXPECT_LT(error->mean_square, last);
    last = error->mean_square;
    ASSERT_TRUE(quantizer->run(to));
    EXPECT_LE(std::filesystem::file_size(to), target);
    EXPECT_GT(std::filesystem::file_size(to), target - target / 5);
  }
  const auto too_small = Quantizer::open(from, {.size_target = 1000});
  ASSERT_FALSE(too_small);
  EXPECT_EQ(too_small.error().code, ErrorCode::kLimit);
}

TEST(Quantizer, ASizeTargetBeatsTheMixOfThatSize) {
  const testing::TempDir dir;
  testing::TinyModel model(kShape);
  for (float& x : model.tensors["blk.0.ffn_up.weight"].values) x *= x * x;  // one tensor suffers more than others
  const std::string from = write_model(dir, model), to = dir.file("out.gguf");
  ASSERT_TRUE(quantize(from, to, {.type = "Q4_K_M"}));
  auto mix = Quantizer::open(from, {.type = "Q4_K_M"});
  auto chosen = Quantizer::open(from, {.size_target = std::filesystem::file_size(to) + 10000});
  ASSERT_TRUE(mix && chosen);
  EXPECT_LT(chosen->measure()->mean_square, mix->measure()->mean_square);
}

TEST(Quantizer, TheSourceMayEndEarly) {
  const testing::TempDir dir;
  const std::string from = write_model(dir);
  std::filesystem::resize_file(from, std::filesystem::file_size(from) - 100);
  const auto quantizer = Quantizer::open(from, {.type = "Q8_0"});
  ASSERT_FALSE(quantizer);
  EXPECT_EQ(quantizer.error().code, ErrorCode::kFormat);
}

}  // namespace
}  // namespace hearth
