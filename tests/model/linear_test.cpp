// Every product of weights and activations passes through linear(): an observer sees each matrix of the file by name.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "lib/session/session_impl.h"
#include "support/family_model.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::FamilyOptions;

struct Seen {
  std::set<int64_t> first_rows;
  int64_t n = 0, k = 0;
  bool routed = false;
};

/// What an observer sees while three tokens are computed, by the names of tensors.
std::map<std::string, Seen> observe(const FamilyModel& family) {
  const auto bytes = family.gguf();
  const auto model = Model::from_memory(bytes);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  auto session = Session::create(*model, {.n_logits = 3});
  EXPECT_TRUE(session) << session.error().message;
  std::map<std::string, Seen> seen;
  SessionInternals::of(*session).observe_linear = [&](const LinearCall& call) {
    Seen& it = seen[std::string(call.name)];
    it.first_rows.insert(call.first_row);
    it.n = call.x.n;
    it.k = call.k;
    it.routed = call.routing != nullptr;
  };
  const BatchToken batch[3] = {{5, 0, 0, true}, {9, 1, 0, true}, {7, 2, 0, true}};
  EXPECT_TRUE(session->decode(batch));
  return seen;
}

/// Tensors with two or more dimensions that are multiplied: all but tables of rows and the weights of convolutions.
std::set<std::string> matrices(const FamilyModel& family) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : family.tiny.tensors) {
    const bool table = name == "position_embd.weight" || name == "token_types.weight" ||
                       name == "per_layer_token_embd.weight" || name.find("conv1d") != std::string::npos;
    if (tensor.dims.size() > 1 && !table) names.insert(name);
  }
  if (names.contains("output.weight")) names.erase("token_embd.weight");
  return names;
}

void expect_all_seen(const char* name, const FamilyOptions& options) {
  const FamilyModel family(*find_architecture(name), options);
  std::set<std::string> seen;
  for (const auto& entry : observe(family)) seen.insert(entry.first);
  EXPECT_EQ(seen, matrices(family)) << name;
}

TEST(Linear, ObserverSeesEveryMatrixByName) {
  expect_all_seen("llama", {.output = true});
  expect_all_seen("llama", {});  // the embedding is the output
  expect_all_seen("arcee", {});  // no gate
  expect_all_seen("phi3", {.fused_qkv = true, .fused_up = true});
  expect_all_seen("gpt-oss", {.experts = true, .shared_experts = false});
  expect_all_seen("granitemoe", {.experts = true, .every = 2});
  expect_all_seen("gemma4", {.experts = true, .shared_experts = false});
  expect_all_seen("deepseek2", {.experts = true});
  expect_all_seen("qwen35", {});
}

TEST(Linear, ObserverIsToldTheInput) {
  const auto seen = observe(FamilyModel(*find_architecture("granitemoe"), {.experts = true}));
  const Seen& router = seen.at("blk.1.ffn_gate_inp.weight");
  EXPECT_EQ(router.n, 3);
  EXPECT_EQ(router.k, FamilyModel::kWidth);
  EXPECT_FALSE(router.routed);
  const Seen& down = seen.at("blk.1.ffn_down_exps.weight");
  EXPECT_EQ(down.n, 6);  // two experts per token
  EXPECT_EQ(down.k, FamilyModel::kExpertFf);
  EXPECT_TRUE(down.routed);
}

TEST(Linear, PartsOfATensorAreTold) {
  const auto seen = observe(FamilyModel(*find_architecture("phi3"), {.fused_qkv = true, .fused_up = true}));
  const int64_t q = FamilyModel::kHeads * FamilyModel::kHeadDim, kv = FamilyModel::kKvHeads * FamilyModel::kHeadDim;
  EXPECT_EQ(seen.at("blk.0.attn_qkv.weight").first_rows, (std::set<int64_t>{0, q, q + kv}));
  EXPECT_EQ(seen.at("blk.0.ffn_up.weight").first_rows, (std::set<int64_t>{0, FamilyModel::kFf}));
}

}  // namespace
}  // namespace hearth
