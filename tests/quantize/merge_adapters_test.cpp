// Merged weights give what the adapter gives while the model runs.
#include <gtest/gtest.h>

#include <cmath>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "support/adapter_file.h"
#include "support/family_model.h"
#include "support/temp_dir.h"

namespace hearth {
namespace {

using testing::AdapterFile;
using testing::FamilyModel;
using testing::FamilyOptions;
using testing::TempDir;

std::vector<float> logits(const Model& model, std::vector<AdapterScale> adapters) {
  SessionOptions options{.n_ctx = 64, .n_logits = 24, .k_type = KVType::kF32, .v_type = KVType::kF32, .n_threads = 1};
  options.adapters = std::move(adapters);
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<BatchToken> batch;
  for (int32_t i = 0; i < 24; ++i) batch.push_back({(5 + 37 * i) % FamilyModel::kVocab, i, 0, true});
  const Status status = session->decode(batch);
  EXPECT_TRUE(status) << status.error().message;
  std::vector<float> all;
  for (size_t i = 0; i < session->n_logits(); ++i) {
    all.insert(all.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return all;
}

double nmse(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (expected.size() != actual.size()) return 1e9;
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(double{expected[i]} - double{actual[i]}, 2);
    norm += double{expected[i]} * double{expected[i]};
  }
  return error / norm;
}

/// Merges two adapters of a family into a file of that type, and compares.
void expect_same(const char* name, const FamilyOptions& options, std::optional<TensorType> type, double bound) {
  const FamilyModel family(*find_architecture(name), options);
  const auto bytes = family.gguf(), first_bytes = AdapterFile(family.tiny, 3).gguf(),
             second_bytes = AdapterFile(family.tiny, 5, 99).gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  const auto first = Adapter::from_memory(first_bytes, *model), second = Adapter::from_memory(second_bytes, *model);
  ASSERT_TRUE(first && second) << name;
  const std::vector<AdapterScale> adapters = {{*first, 0.75f}, {*second, -0.5f}};
  const TempDir folder;
  const std::string path = (folder.path() / "merged.gguf").string();
  const Status merged = merge_adapters(*model, adapters, path, {.type = type});
  ASSERT_TRUE(merged) << name << ": " << merged.error().message;
  const auto opened = Model::open(path);
  ASSERT_TRUE(opened) << name << ": " << opened.error().message;
  if (type) {
    EXPECT_EQ(opened->file().tensor("token_embd.weight")->type, *type);
  }
  const auto expected = logits(*model, adapters);
  EXPECT_LT(nmse(expected, logits(*opened, {})), bound) << name;
  EXPECT_GT(nmse(expected, logits(*model, {})), 1e-4) << name;
}

TEST(MergeAdapters, LikeTheAdapterAtRunTime) {
  expect_same("llama", {.output = true}, {}, 1e-9);
  expect_same("granitemoe", {.experts = true, .every = 2, .output = true}, {}, 1e-9);
  expect_same("phi3", {.fused_qkv = true, .fused_up = true, .output = true}, {}, 1e-9);
}

TEST(MergeAdapters, ATiedOutputBecomesATensorOfItsOwn) {
  expect_same("llama", {}, {}, 1e-9);
}

TEST(MergeAdapters, OtherTypes) {
  expect_same("llama", {.output = true}, TensorType::kF16, 1e-5);
  expect_same("llama", {.output = true}, TensorType::kBF16, 1e-3);
}

TEST(MergeAdapters, WhatCannotBeMerged) {
  const FamilyModel family(*find_architecture("llama"), {.output = true});
  AdapterFile invoked(family.tiny, 3);
  invoked.tiny.int_arrays["adapter.alora.invocation_tokens"] = {4, 5};
  const auto bytes = family.gguf(), invoked_bytes = invoked.gguf(), plain_bytes = AdapterFile(family.tiny, 3).gguf(),
             vector_bytes = AdapterFile::directions(FamilyModel::kWidth, {1}).gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model);
  const TempDir folder;
  const std::string path = (folder.path() / "merged.gguf").string();
  for (const auto* file : {&invoked_bytes, &vector_bytes}) {
    const auto adapter = Adapter::from_memory(*file, *model);
    ASSERT_TRUE(adapter);
    const std::vector<AdapterScale> adapters = {{*adapter, 1.0f}};
    EXPECT_FALSE(merge_adapters(*model, adapters, path));
  }
  const auto plain = Adapter::from_memory(plain_bytes, *model);
  const std::vector<AdapterScale> adapters = {{*plain, 1.0f}};
  EXPECT_FALSE(merge_adapters(*model, adapters, path, {.type = TensorType::kI32}));
  EXPECT_FALSE(merge_adapters(*model, adapters, path, {.progress = [](size_t, size_t) { return false; }}));
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace hearth
