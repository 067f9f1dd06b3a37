// Files as other programs and other years write them: each gives the logits of the file that it is a variant of.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "support/family_model.h"
#include "support/rounding.h"

namespace {

using hearth::Architecture;
using hearth::testing::FamilyModel;
using hearth::testing::FamilyOptions;
using Tensor = hearth::testing::TinyModel::Tensor;

constexpr int kTokens = 40;

/// Logits of all tokens, computed at once.
std::vector<float> logits(const FamilyModel& family) {
  const auto bytes = family.gguf();
  const auto model = hearth::Model::from_memory(bytes);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  auto session = hearth::Session::create(*model, {.n_ctx = 64,
                                                  .n_logits = kTokens,
                                                  .k_type = hearth::KVType::kF32,
                                                  .v_type = hearth::KVType::kF32,
                                                  .n_threads = 1});
  EXPECT_TRUE(session) << session.error().message;
  std::vector<hearth::BatchToken> batch;
  for (int32_t i = 0; i < kTokens; ++i) batch.push_back({(5 + 37 * i) % FamilyModel::kVocab, i, 0, true});
  const auto status = session->decode(batch);
  EXPECT_TRUE(status) << status.error().message;
  std::vector<float> all;
  for (size_t i = 0; i < session->n_logits(); ++i) {
    all.insert(all.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return all;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  ASSERT_FALSE(a.empty()) << what;
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    norm += double{a[i]} * double{a[i]};
  }
  using namespace hearth::testing;
  EXPECT_LE(std::sqrt(error / norm), chain_difference(model_stages(FamilyModel::kLayers), FamilyModel::kFf)) << what;
}

/// A variant has the logits of the file that it is made from.
void expect_same(const std::string& name, const FamilyOptions& options,
                 const std::function<void(FamilyModel&)>& change) {
  const Architecture& arch = *hearth::find_architecture(name);
  FamilyModel variant(arch, options);
  const auto expected = logits(variant);
  change(variant);
  expect_near(expected, logits(variant), name);
}

std::string blk(int layer) {
  return "blk." + std::to_string(layer) + ".";
}

/// Row r of a matrix of any number of dimensions.
std::vector<float> row(const Tensor& w, int64_t r) {
  const auto begin = w.values.begin() + r * w.dims[0];
  return {begin, begin + w.dims[0]};
}

Tensor matrix(const std::vector<std::vector<float>>& rows) {
  Tensor made{{static_cast<int64_t>(rows[0].size()), static_cast<int64_t>(rows.size())}, {}, 0, {}};
  for (const auto& one : rows) made.values.insert(made.values.end(), one.begin(), one.end());
  return made;
}

TEST(OlderFiles, LayersThatPredictFurtherTokensAreLeftOut) {
  for (const char* name : {"qwen35", "qwen35moe", "qwen3next", "deepseek2"}) {
    for (const int n : {1, 2}) {
      const auto count = [n](FamilyModel& m) {
        m.integer("block_count", FamilyModel::kLayers + n);
        m.integer("nextn_predict_layers", n);
      };
      expect_same(name, {.experts = true}, count);  // their tensors may be missing
      expect_same(name, {.experts = true}, [&](FamilyModel& m) {
        count(m);
        for (int i = 0; i < n; ++i) {
          m.tiny.add(blk(FamilyModel::kLayers + i) + "nextn.eh_proj.weight", {96, 48});
          m.tiny.add(blk(FamilyModel::kLayers + i) + "attn_q.weight", {48, 3});
        }
      });
    }
  }
}

TEST(OlderFiles, OnlyLayersThatTheFileCountsAreLeftOut) {
  FamilyModel m(*hearth::find_architecture("qwen35"));
  m.tiny.add(blk(FamilyModel::kLayers) + "nextn.eh_proj.weight", {96, 48});
  EXPECT_FALSE(hearth::Model::from_memory(m.gguf()));
  FamilyModel all(*hearth::find_architecture("qwen35"));
  all.integer("nextn_predict_layers", FamilyModel::kLayers);
  EXPECT_FALSE(hearth::Model::from_memory(all.gguf()));
}

TEST(OlderFiles, RecurrentLayersByAListOrByHeadsOfKeys) {
  for (const char* name : {"qwen35", "qwen35moe", "qwen3next"}) {
    const auto list = [](FamilyModel& m) {
      m.integer("full_attention_interval", 2);  // which the list overrules
      m.tiny.int_arrays[m.own_key("attention.recurrent_layers")] = {1, 1, 1, 0};
    };
    expect_same(name, {}, list);
    expect_same(name, {}, [](FamilyModel& m) {
      m.integer("full_attention_interval", 2);
      m.tiny.ints.erase(m.own_key("attention.head_count_kv"));
      m.tiny.int_arrays[m.own_key("attention.head_count_kv")] = {0, 0, 0, FamilyModel::kKvHeads};
    });
    expect_same(name, {}, [](FamilyModel& m) {
      for (int i = 0; i < FamilyModel::kLayers - 1; ++i) {
        auto node = m.tiny.tensors.extract(blk(i) + "ssm_dt.bias");
        node.key() = blk(i) + "ssm_dt";
        m.tiny.tensors.insert(std::move(node));
      }
    });
    FamilyModel none(*hearth::find_architecture(name));
    none.tiny.int_arrays[none.own_key("attention.recurrent_layers")] = {1, 1, 1, 1};
    const auto model = hearth::Model::from_memory(none.gguf());
    ASSERT_FALSE(model);
    EXPECT_NE(model.error().message.find("recurrent_layers"), std::string::npos) << model.error().message;
  }
}

TEST(OlderFiles, KeysAndValuesOfLatentAttentionInOneMatrix) {
  constexpr int kNope = 8, kValue = 8, kRank = 24;
  const auto join = [](FamilyModel& m) {
    for (int i = 0; i < FamilyModel::kLayers; ++i) {
      const Tensor &k = m.tiny.tensors[blk(i) + "attn_k_b.weight"], &v = m.tiny.tensors[blk(i) + "attn_v_b.weight"];
      std::vector<std::vector<float>> rows;
      for (int h = 0; h < FamilyModel::kHeads; ++h) {
        for (int n = 0; n < kNope; ++n) {
          rows.emplace_back();
          for (int r = 0; r < kRank; ++r) rows.back().push_back(row(k, h * kRank + r)[static_cast<size_t>(n)]);
        }
        for (int n = 0; n < kValue; ++n) rows.push_back(row(v, h * kValue + n));
      }
      m.tiny.tensors[blk(i) + "attn_kv_b.weight"] = matrix(rows);
    }
  };
  const auto older_keys = [](FamilyModel& m) {
    m.integer("attention.head_count_kv", FamilyModel::kHeads);
    m.integer("attention.key_length", 12);
    m.integer("attention.value_length", kValue);
    for (const char* key : {"attention.key_length_mla", "attention.value_length_mla"}) {
      m.tiny.ints.erase(m.own_key(key));
    }
  };
  expect_same("deepseek2", {.experts = true}, join);  // both are there: one is enough
  expect_same("deepseek2", {.experts = true}, [&](FamilyModel& m) {
    join(m);
    older_keys(m);
    for (int i = 0; i < FamilyModel::kLayers; ++i) {
      m.tiny.tensors.erase(blk(i) + "attn_k_b.weight"), m.tiny.tensors.erase(blk(i) + "attn_v_b.weight");
    }
  });
}

TEST(OlderFiles, OneMatrixMakesWhatARecurrentLayerReads) {
  constexpr int kDim = FamilyModel::kStateDim, kKeys = FamilyModel::kKeyHeads;
  constexpr int kShare = FamilyModel::kValueHeads / kKeys * kDim;
  expect_same("qwen3next", {.experts = true}, [](FamilyModel& m) {
    for (int i = 0; i < FamilyModel::kLayers - 1; ++i) {
      const Tensor &qkv = m.tiny.tensors[blk(i) + "attn_qkv.weight"], &z = m.tiny.tensors[blk(i) + "attn_gate.weight"];
      std::vector<std::vector<float>> rows;
      const auto copy = [&](const Tensor& from, int first, int n) {
        for (int r = first; r < first + n; ++r) rows.push_back(row(from, r));
      };
      for (int h = 0; h < kKeys; ++h) {
        copy(qkv, h * kDim, kDim), copy(qkv, (kKeys + h) * kDim, kDim);
        copy(qkv, 2 * kKeys * kDim + h * kShare, kShare), copy(z, h * kShare, kShare);
      }
      m.tiny.tensors[blk(i) + "ssm_in.weight"] = matrix(rows);
      m.tiny.tensors.erase(blk(i) + "attn_qkv.weight"), m.tiny.tensors.erase(blk(i) + "attn_gate.weight");
    }
  });
}

TEST(OlderFiles, WidthsOfExpertsFollowFromTheDenseOne) {
  for (const char* name : {"qwen2moe", "qwen3moe"}) {
    const bool shared = std::string(name) == "qwen2moe";
    const FamilyOptions options{.experts = true, .shared_experts = shared, .shared_width = 2 * FamilyModel::kExpertFf};
    expect_same(name, options, [](FamilyModel& m) {
      m.integer("feed_forward_length", 2 * FamilyModel::kExpertFf);  // of which an expert has half, as two are used
      m.tiny.ints.erase(m.own_key("expert_feed_forward_length"));
      m.tiny.ints.erase(m.own_key("expert_shared_feed_forward_length"));
    });
    expect_same(name, options, [](FamilyModel& m) {
      m.integer("feed_forward_length", 2 * FamilyModel::kExpertFf);
      m.integer("expert_feed_forward_length", 0);
      m.integer("expert_shared_feed_forward_length", 0);
    });
  }
}

TEST(OlderFiles, EveryExpertIsATensorOfItsOwn) {
  const auto split = [](FamilyModel& m) {
    for (int i = 0; i < FamilyModel::kLayers; ++i) {
      for (const char* part : {"ffn_gate", "ffn_up", "ffn_down"}) {
        const Tensor all = m.tiny.tensors[blk(i) + part + "_exps.weight"];
        m.tiny.tensors.erase(blk(i) + part + "_exps.weight");
        for (int e = 0; e < FamilyModel::kExperts; ++e) {
          std::vector<std::vector<float>> rows;
          for (int64_t r = e * all.dims[1]; r < (e + 1) * all.dims[1]; ++r) rows.push_back(row(all, r));
          m.tiny.tensors[blk(i) + part + "." + std::to_string(e) + ".weight"] = matrix(rows);
        }
      }
    }
  };
  expect_same("llama", {.experts = true, .shared_experts = false}, split);
  FamilyModel missing(*hearth::find_architecture("llama"), {.experts = true, .shared_experts = false});
  split(missing);
  missing.tiny.tensors.erase("blk.1.ffn_up.3.weight");
  const auto model = hearth::Model::from_memory(missing.gguf());
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("blk.1.ffn_up.3.weight"), std::string::npos) << model.error().message;
}

TEST(OlderFiles, WhatExportsOfOtherProgramsLackOrHaveBeside) {
  for (const char* name : {"gemma", "gemma2", "gemma3", "gemma4"}) {
    const Architecture& arch = *hearth::find_architecture(name);
    FamilyModel with(arch), without(arch);
    with.number("attention.layer_norm_rms_epsilon", 1e-6f);
    without.tiny.floats.erase(without.own_key("attention.layer_norm_rms_epsilon"));
    expect_near(logits(with), logits(without), name);
  }
  expect_same("llama", {}, [](FamilyModel& m) {
    for (const char* beside : {"v.blk.0.attn_q.weight", "a.conv1d.weight", "mm.0.weight", "mtp.fc.weight"}) {
      m.tiny.add(beside, {8, 4});
    }
  });
  expect_same("llama", {}, [](FamilyModel& m) { m.tiny.add("marker", {0}); });
}

TEST(OlderFiles, EveryArchitectureMaySeeWhatFollows) {
  for (const std::string& name : hearth::architecture_names()) {
    const Architecture& arch = *hearth::find_architecture(name);
    FamilyModel m(arch);
    m.tiny.booleans[m.own_key("attention.causal")] = false;
    const auto bytes = m.gguf();
    const auto model = hearth::Model::from_memory(bytes);
    ASSERT_TRUE(model) << name << ": " << model.error().message;
    EXPECT_FALSE(model->info().causal) << name;
    EXPECT_EQ(model->info().has_logits, arch.causal) << name;
    if (arch.causal) {
      for (const float value : logits(m)) ASSERT_TRUE(std::isfinite(value)) << name;
    }
    auto embedder = hearth::Embedder::create(*model);
    ASSERT_TRUE(embedder) << name << ": " << embedder.error().message;
    const std::vector<std::vector<hearth::Token>> texts = {{1, 2, 3, 4, 5}};
    const auto all = embedder->embed_tokens(texts);
    ASSERT_TRUE(all) << name << ": " << all.error().message;
    for (const float value : all->front().values) ASSERT_TRUE(std::isfinite(value)) << name;
  }
}

TEST(OlderFiles, DecodersThatSeeWhatFollowsGiveItsLogits) {
  const Architecture& arch = *hearth::find_architecture("llama");
  FamilyModel causal(arch), full(arch);
  full.tiny.booleans[full.own_key("attention.causal")] = false;
  const auto a = logits(causal), b = logits(full);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_NE(a.front(), b.front()) << "the first token sees the others";
  const auto last = static_cast<size_t>((kTokens - 1) * FamilyModel::kVocab);
  EXPECT_TRUE(std::isfinite(b[last]));
}

}  // namespace
