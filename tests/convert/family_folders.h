// A small folder with seeded weights of every family of decoders.
#pragma once

#include <string>
#include <vector>

#include "convert/folder_builder.h"

namespace hearth::testing {

inline constexpr int64_t kD = 32, kFf = 48, kLayers = 2, kHeads = 4, kKvHeads = 2, kHeadDim = 8;

struct FamilyCase {
  const char* model_type;
  std::string extra;  ///< of config.json, beginning with a comma
  std::vector<FolderTensor> own;
  bool separate_qkv = true, gated = true, pre_norms = true, experts = false;
};

inline void add(std::vector<FolderTensor>& out, const std::string& name, std::vector<int64_t> shape) {
  out.push_back({name, std::move(shape), "F32"});
}

/// The layers of a decoder as most families name them.
inline std::vector<FolderTensor> decoder_tensors(const FamilyCase& c) {
  std::vector<FolderTensor> out;
  add(out, "model.embed_tokens.weight", {kByteLevelTokens, kD});
  add(out, "model.norm.weight", {kD});
  for (int64_t i = 0; i < kLayers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    if (c.separate_qkv) {
      add(out, layer + "self_attn.q_proj.weight", {kHeads * kHeadDim, kD});
      add(out, layer + "self_attn.k_proj.weight", {kKvHeads * kHeadDim, kD});
      add(out, layer + "self_attn.v_proj.weight", {kKvHeads * kHeadDim, kD});
    } else {
      add(out, layer + "self_attn.qkv_proj.weight", {(kHeads + 2 * kKvHeads) * kHeadDim, kD});
    }
    add(out, layer + "self_attn.o_proj.weight", {kD, kHeads * kHeadDim});
    if (c.pre_norms) add(out, layer + "input_layernorm.weight", {kD});
    add(out, layer + "post_attention_layernorm.weight", {kD});
    if (c.experts) {
      add(out, layer + "mlp.gate.weight", {3, kD});
      for (int e = 0; e < 3; ++e) {
        const std::string expert = layer + "mlp.experts." + std::to_string(e) + ".";
        add(out, expert + "gate_proj.weight", {16, kD});
        add(out, expert + "up_proj.weight", {16, kD});
        add(out, expert + "down_proj.weight", {kD, 16});
      }
    } else {
      if (c.gated) add(out, layer + "mlp.gate_proj.weight", {kFf, kD});
      add(out, layer + (c.gated ? "mlp.up_proj.weight" : "mlp.gate_up_proj.weight"), {c.gated ? kFf : 2 * kFf, kD});
      add(out, layer + "mlp.down_proj.weight", {kD, kFf});
    }
    for (const FolderTensor& tensor : c.own) out.push_back({layer + tensor.name, tensor.shape, tensor.dtype});
  }
  return out;
}

inline std::string config_of(const FamilyCase& c) {
  return "{\"model_type\":\"" + std::string(c.model_type) + "\",\"hidden_size\":32,\"intermediate_size\":48," +
         "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":64," +
         "\"rms_norm_eps\":1e-6,\"vocab_size\":261,\"tie_word_embeddings\":true,\"bos_token_id\":259,\"eos_token_id\":"
         "260" +
         c.extra + "}";
}

inline void write_folder(const TempDir& dir, const std::string& config, const std::vector<FolderTensor>& tensors) {
  dir.write("config.json", config);
  dir.write("tokenizer.json", byte_level_tokenizer());
  dir.write("model.safetensors", safetensors_file(tensors));
}

inline const std::vector<FolderTensor> kHeadNorms = {{"self_attn.q_norm.weight", {kHeadDim}},
                                                     {"self_attn.k_norm.weight", {kHeadDim}}};
inline const std::vector<FolderTensor> kGemmaNorms = {{"pre_feedforward_layernorm.weight", {kD}},
                                                      {"post_feedforward_layernorm.weight", {kD}}};

inline std::vector<FolderTensor> joined(std::vector<FolderTensor> a, const std::vector<FolderTensor>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A dense layer, one with experts, and one that predicts further tokens, shaped like that.
inline FamilyCase glm_moe() {
  return {"glm4_moe",
          ",\"head_dim\":8,\"n_routed_experts\":3,\"n_shared_experts\":1,\"num_experts_per_tok\":2,"
          "\"moe_intermediate_size\":16,\"norm_topk_prob\":true,\"routed_scaling_factor\":1.5,\"n_group\":1,"
          "\"topk_group\":1,\"first_k_dense_replace\":1,\"num_nextn_predict_layers\":1,\"partial_rotary_factor\":0.5",
          kHeadNorms};
}
inline std::vector<FolderTensor> glm_moe_tensors() {
  FamilyCase dense = glm_moe(), sparse = glm_moe();
  sparse.experts = true;
  std::vector<FolderTensor> out, layer;
  for (const FolderTensor& tensor : decoder_tensors(dense)) {
    if (tensor.name.find("layers.1.") == std::string::npos) out.push_back(tensor);
  }
  for (const FolderTensor& tensor : decoder_tensors(sparse)) {
    if (tensor.name.find("layers.1.") != std::string::npos) layer.push_back(tensor);
  }
  for (const char* name : {"gate_proj", "up_proj", "down_proj"}) {
    const bool down = name[0] == 'd';
    add(layer, "model.layers.1.mlp.shared_experts." + std::string(name) + ".weight", {down ? kD : 16, down ? 16 : kD});
  }
  add(layer, "model.layers.1.mlp.gate.e_score_correction_bias", {3});
  for (FolderTensor tensor : layer) {
    out.push_back(tensor);
    tensor.name.replace(tensor.name.find("layers.1."), 9, "layers.2.");
    out.push_back(tensor);
  }
  add(out, "model.layers.2.eh_proj.weight", {kD, 2 * kD});
  for (const char* norm : {"enorm", "hnorm", "shared_head.norm"}) {
    add(out, "model.layers.2." + std::string(norm) + ".weight", {kD});
  }
  add(out, "model.layers.2.embed_tokens.weight", {kByteLevelTokens, kD});
  add(out, "model.layers.2.shared_head.head.weight", {kByteLevelTokens, kD});
  return out;
}

inline const std::vector<FamilyCase>& decoder_cases() {
  static const std::vector<FamilyCase> kCases = {
      {"llama", "", {}},
      {"mistral", ",\"sliding_window\":null", {}},
      {"granite",
       ",\"attention_multiplier\":0.1,\"embedding_multiplier\":12,\"residual_multiplier\":0.2,\"logits_scaling\":8",
       {}},
      {"smollm3", ",\"rope_theta\":5000000.0", {}},
      {"qwen2",
       "",
       {{"self_attn.q_proj.bias", {kHeads * kHeadDim}},
        {"self_attn.k_proj.bias", {kKvHeads * kHeadDim}},
        {"self_attn.v_proj.bias", {kKvHeads * kHeadDim}}}},
      {"qwen3", ",\"head_dim\":8", kHeadNorms},
      {"qwen3_moe",
       ",\"head_dim\":8,\"num_experts\":3,\"num_experts_per_tok\":2,\"moe_intermediate_size\":16,\"norm_topk_prob\":"
       "true",
       kHeadNorms, true, true, true, true},
      {"phi3",
       ",\"original_max_position_embeddings\":32,\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1,1.5,2,4],"
       "\"short_factor\":[1,1,1,1]}",
       {},
       false,
       false},
      {"olmo2", "",
       joined({{"self_attn.q_norm.weight", {kHeads * kHeadDim}}, {"self_attn.k_norm.weight", {kKvHeads * kHeadDim}}},
              {kGemmaNorms[1]}),
       true, true, false},
      {"gemma2",
       ",\"head_dim\":8,\"query_pre_attn_scalar\":16,\"sliding_window\":32,\"attn_logit_softcapping\":50.0,\"final_"
       "logit_softcapping\":30.0",
       kGemmaNorms},
      {"gemma3_text",
       ",\"head_dim\":8,\"query_pre_attn_scalar\":8,\"sliding_window\":32,\"rope_theta\":1000000.0,\"rope_scaling\":{"
       "\"rope_type\":\"linear\",\"factor\":8.0}",
       joined(kHeadNorms, kGemmaNorms)},
  };
  return kCases;
}

}  // namespace hearth::testing
