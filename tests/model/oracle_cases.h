// Small models of every architecture for which another program's numbers are recorded (oracle_values.inc), and what
// hearth makes of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hearth/hearth.h"
#include "support/family_model.h"

namespace hearth::testing {

enum class OracleOutput {
  kLogits,  ///< [n_tokens, n_vocab]
  kHidden,  ///< [n_tokens, d_model] final hidden states
  kPooled,  ///< [d_model] or [n_labels], not normalized
};

struct OracleCase {
  std::string name;  ///< of the architecture, and what is special after a blank
  FamilyOptions options{};
  OracleOutput output = OracleOutput::kLogits;
  std::function<void(FamilyModel&)> adjust = [](FamilyModel&) {};

  std::string architecture() const { return name.substr(0, name.find(' ')); }
  FamilyModel model() const {
    FamilyModel made(*find_architecture(architecture()), options);
    adjust(made);
    return made;
  }
};

inline constexpr int kOracleTokens = 70;
inline constexpr int kOracleValues = 32;

/// The text of every case.
inline std::vector<Token> oracle_tokens() {
  std::vector<Token> ids;
  for (int i = 0; i < kOracleTokens; ++i) ids.push_back((5 + 37 * i) % FamilyModel::kVocab);
  return ids;
}

/// The values that are recorded of n_rows rows, the last row among them.
inline std::vector<float> oracle_sample(const std::vector<float>& values, size_t n_rows) {
  const size_t n_cols = values.size() / n_rows;
  std::vector<float> sample;
  for (size_t i = 0; i < kOracleValues; ++i)
    sample.push_back(values[(n_rows - 1 + 9 * i) % n_rows * n_cols + (37 * i + 5) % n_cols]);
  return sample;
}

inline void bias(FamilyModel& m, std::initializer_list<const char*> names) {
  for (int i = 0; i < FamilyModel::kLayers; ++i) {
    for (const char* name : names) {
      const std::string base = "blk." + std::to_string(i) + "." + name;
      m.tiny.add(base + ".bias", {m.tiny.tensors.at(base + ".weight").dims.back()});
    }
  }
}

inline void per_layer(FamilyModel& m, const std::string& name, std::vector<int64_t> dims) {
  for (int i = 0; i < FamilyModel::kLayers; ++i) m.tiny.add("blk." + std::to_string(i) + "." + name, dims);
}

inline void yarn(FamilyModel& m, float factor, int original_context) {
  m.tiny.texts[m.own_key("rope.scaling.type")] = "yarn";
  m.number("rope.scaling.factor", factor);
  m.integer("rope.scaling.original_context_length", original_context);
}

inline void granite_scales(FamilyModel& m) {
  m.number("embedding_scale", 12.0f), m.number("residual_scale", 0.22f);
  m.number("logit_scale", 8.0f), m.number("attention.scale", 0.25f);
}

/// Keys without which the oracle does not take an encoder.
inline void encoder(FamilyModel& m) {
  m.tiny.set_int("tokenizer.ggml.token_type_count", 2);
  m.tiny.booleans[m.own_key("attention.causal")] = false;
}

inline void rope_sections(FamilyModel& m) {
  m.tiny.int_arrays[m.own_key("rope.dimension_sections")] = {2, 1, 1, 0};
}

/// Qwen 3 Next has the projections of beta and alpha in one tensor.
inline void join_beta_alpha(FamilyModel& m) {
  for (int i = 0; i < FamilyModel::kLayers; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    if (m.tiny.tensors.erase(blk + "ssm_beta.weight") == 0) continue;
    m.tiny.tensors.erase(blk + "ssm_alpha.weight");
    m.tiny.add(blk + "ssm_ba.weight", {FamilyModel::kWidth, 2 * FamilyModel::kValueHeads});
  }
}

/// A head for scores, and the pooling that asks for it.
inline void rank_head(FamilyModel& m, int n_labels) {
  m.integer("pooling_type", 4);
  for (int i = 0; i < n_labels; ++i)
    m.tiny.text_arrays[m.own_key("classifier.output_labels")].push_back("label " + std::to_string(i));
  m.tiny.add("cls.output.weight", {FamilyModel::kWidth, n_labels});
}

inline void norm_biases(FamilyModel& m) {
  encoder(m);
  bias(m, {"attn_output_norm", "layer_output_norm"});
  m.tiny.add("token_embd_norm.bias", {FamilyModel::kWidth});
}

inline std::vector<OracleCase> oracle_cases() {
  using M = FamilyModel;
  constexpr auto kHidden = OracleOutput::kHidden;
  const FamilyOptions experts{.experts = true, .shared_experts = false};
  const FamilyOptions wide{
      .experts = true, .shared_experts = false, .own_width = false, .all_kv_heads = true, .output = true};
  const FamilyOptions with_output{.output = true};
  const auto qkv_bias = [](M& m) { bias(m, {"attn_q", "attn_k", "attn_v"}); };
  return {
      {.name = "llama", .options = with_output},
      {.name = "llama biases, linear scaling",
       .adjust =
           [](M& m) {
             bias(m, {"attn_q", "attn_k", "attn_v", "attn_output"});
             m.tiny.texts[m.own_key("rope.scaling.type")] = "linear", m.number("rope.scaling.factor", 4.0f);
           }},
      {.name = "llama experts", .options = wide},
      {.name = "mistral3", .adjust = [](M& m) { yarn(m, 4, 16), m.number("attention.temperature_scale", 0.1f); }},
      {.name = "granite", .adjust = granite_scales},
      {.name = "granitemoe", .options = {.experts = true, .own_width = false}, .adjust = granite_scales},
      {.name = "smollm3"},
      {.name = "arcee"},
      {.name = "internlm2", .options = with_output},
      {.name = "seed_oss", .adjust = qkv_bias},
      {.name = "starcoder2", .options = {.biases = true}},
      {.name = "olmoe", .options = wide},
      {.name = "qwen2", .adjust = qkv_bias},
      {.name = "qwen2moe", .options = {.experts = true, .shared_scale = true, .output = true}, .adjust = qkv_bias},
      {.name = "qwen3"},
      {.name = "qwen3 last pooling",
       .output = OracleOutput::kPooled,
       .adjust = [](M& m) { m.integer("pooling_type", 3); }},
      {.name = "qwen3 reranker", .output = OracleOutput::kPooled, .adjust = [](M& m) { rank_head(m, 2); }},
      {.name = "qwen3moe", .options = experts},
      {.name = "phi3", .options = {.fused_qkv = true, .fused_up = true}},
      {.name = "chatglm",
       .options = {.fused_qkv = true, .fused_up = true},
       .adjust = [](M& m) { bias(m, {"attn_qkv"}), m.integer("rope.dimension_count", 4); }},
      {.name = "glm4", .options = {.fused_up = true}, .adjust = [](M& m) { m.integer("rope.dimension_count", 4); }},
      {.name = "olmo2", .options = with_output},
      {.name = "gemma"},
      {.name = "gemma2"},
      {.name = "gemma3", .adjust = [](M& m) { m.integer("attention.sliding_window_pattern", 3); }},
      {.name = "gpt-oss",
       .options = {.experts = true, .shared_experts = false, .output = true},
       .adjust =
           [](M& m) {
             bias(m, {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate_inp"});
             per_layer(m, "ffn_gate_exps.bias", {M::kExpertFf, M::kExperts});
             per_layer(m, "ffn_up_exps.bias", {M::kExpertFf, M::kExperts});
             per_layer(m, "ffn_down_exps.bias", {M::kWidth, M::kExperts});
             per_layer(m, "attn_sinks.weight", {M::kHeads});
             yarn(m, 8, 32);
           }},
      {.name = "deepseek2",
       .options = {.experts = true, .shared_width = M::kExpertFf},
       .adjust =
           [](M& m) {
             m.integer("expert_shared_count", 1), m.integer("leading_dense_block_count", 0);
             m.number("expert_weights_scale", 2.5f), m.tiny.booleans[m.own_key("expert_weights_norm")] = true;
             per_layer(m, "exp_probs_b.bias", {M::kExperts});
           }},
      {.name = "glm4moe",
       .options = {.experts = true, .shared_width = M::kExpertFf, .output = true},
       .adjust =
           [](M& m) {
             bias(m, {"attn_q", "attn_k", "attn_v"}), m.integer("rope.dimension_count", 4);
             m.integer("expert_shared_count", 1), m.integer("leading_dense_block_count", 0);
             m.number("expert_weights_scale", 2.5f), m.tiny.booleans[m.own_key("expert_weights_norm")] = true;
             per_layer(m, "exp_probs_b.bias", {M::kExperts});
           }},
      {.name = "qwen3next", .options = {.experts = true, .shared_scale = true}, .adjust = join_beta_alpha},
      {.name = "qwen35", .adjust = rope_sections},
      {.name = "qwen35moe", .options = {.experts = true, .shared_scale = true}, .adjust = rope_sections},
      {.name = "bert", .options = {.biases = true}, .output = kHidden, .adjust = encoder},
      {.name = "bert mean pooling",
       .options = {.biases = true},
       .output = OracleOutput::kPooled,
       .adjust = [](M& m) { encoder(m), m.integer("pooling_type", 1); }},
      {.name = "bert first-token pooling",
       .options = {.biases = true},
       .output = OracleOutput::kPooled,
       .adjust = [](M& m) { encoder(m), m.integer("pooling_type", 2); }},
      {.name = "bert reranker",
       .options = {.biases = true},
       .output = OracleOutput::kPooled,
       .adjust =
           [](M& m) {
             encoder(m), rank_head(m, 1);
             m.tiny.add("cls.weight", {M::kWidth, M::kWidth}), m.tiny.add("cls.bias", {M::kWidth});
             m.tiny.add("cls.output.bias", {1});
           }},
      {.name = "nomic-bert", .output = kHidden, .adjust = norm_biases},
      {.name = "nomic-bert-moe",
       .options = {.experts = true, .shared_experts = false, .own_width = false, .every = 2, .biases = true},
       .output = kHidden,
       .adjust = encoder},
      {.name = "jina-bert-v2",
       .options = {.biases = true, .all_kv_heads = true},
       .output = kHidden,
       .adjust =
           [](M& m) {
             encoder(m);
             for (int i = 0; i < M::kLayers; ++i) m.tiny.tensors.erase("blk." + std::to_string(i) + ".ffn_gate.bias");
           }},
      {.name = "jina-bert-v2 fused gate",
       .options = {.biases = true, .fused_up = true, .all_kv_heads = true},
       .output = kHidden,
       .adjust = encoder},
      {.name = "gemma-embedding",
       .output = OracleOutput::kPooled,
       .adjust = [](M& m) { m.integer("pooling_type", 1), m.integer("attention.sliding_window_pattern", 3); }},
      {.name = "gemma-embedding with dense layers",
       .output = OracleOutput::kPooled,
       .adjust =
           [](M& m) {
             m.integer("pooling_type", 1), m.integer("attention.sliding_window_pattern", 3);
             m.integer("dense_2_feat_in", M::kWidth), m.integer("dense_2_feat_out", 64);
             m.integer("dense_3_feat_in", 64), m.integer("dense_3_feat_out", M::kWidth);
             m.tiny.add("dense_2.weight", {M::kWidth, 64}), m.tiny.add("dense_3.weight", {64, M::kWidth});
           }},
  };
}

/// All values of a case; empty after a failure that the text names.
inline std::vector<float> oracle_compute(const OracleCase& c, std::string& error) {
  const auto bytes = c.model().gguf();
  const auto model = Model::from_memory(bytes);
  if (!model) return error = model.error().message, std::vector<float>();
  const auto tokens = oracle_tokens();
  if (c.output == OracleOutput::kPooled) {
    auto embedder = Embedder::create(*model, {.normalize = false, .n_threads = 1});
    if (!embedder) return error = embedder.error().message, std::vector<float>();
    auto made = embedder->embed_tokens(std::span(&tokens, 1));
    if (!made) return error = made.error().message, std::vector<float>();
    return made->front().values;
  }
  auto session = Session::create(*model, {.n_ctx = kOracleTokens,
                                          .n_logits = kOracleTokens,
                                          .k_type = KVType::kF32,
                                          .v_type = KVType::kF32,
                                          .n_threads = 1});
  if (!session) return error = session.error().message, std::vector<float>();
  std::vector<BatchToken> batch;
  for (const Token id : tokens) batch.push_back({id, static_cast<int32_t>(batch.size()), 0, true});
  if (const Status status = session->decode(batch); !status)
    return error = status.error().message, std::vector<float>();
  std::vector<float> values;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto row = c.output == OracleOutput::kLogits ? session->logits(i) : session->hidden(i);
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

}  // namespace hearth::testing
