// A small Gemma 4 and an assistant for it, with seeded random weights.
#pragma once

#include <string>

#include "support/family_model.h"

namespace hearth::testing {

/// Of 4 layers the first and the third slide; the others turn by factors of their own.
inline FamilyModel assistant_target(int layer_embedding = 0) {
  FamilyModel m(*find_architecture("gemma4"), {.layer_embedding = layer_embedding});
  m.tiny.ints.erase(m.own_key("attention.sliding_window_pattern"));
  m.tiny.bool_arrays[m.own_key("attention.sliding_window_pattern")] = {true, false, true, false};
  for (const char* key : {"attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa"}) {
    m.integer(key, FamilyModel::kHeadDim);
  }
  m.integer("attention.shared_kv_layers", 0);
  m.integer("embedding_length_per_layer_input", layer_embedding);
  m.number("rope.freq_base", 1e6f), m.number("rope.freq_base_swa", 1e4f);
  m.number("final_logit_softcapping", 30.0f);
  m.tiny.add("rope_freqs.weight", {FamilyModel::kHeadDim / 2}, 2.0f);
  return m;
}

/// Of 3 layers the last sees everything.
inline TinyModel assistant_model(const TinyModel& target, int d_target = FamilyModel::kWidth) {
  constexpr int kWidth = 32, kHeads = 4, kLayers = 3, kFf = 64, kHeadDim = FamilyModel::kHeadDim;
  TinyModel m;
  m.ints.clear(), m.floats.clear(), m.tensors.clear();
  m.architecture = "gemma4-assistant";
  const auto integer = [&](const std::string& key, int64_t n) { m.set_int("gemma4-assistant." + key, n); };
  const auto number = [&](const std::string& key, float x) { m.set_float("gemma4-assistant." + key, x); };
  integer("block_count", kLayers), integer("nextn_predict_layers", kLayers), integer("context_length", 256);
  integer("embedding_length", kWidth), integer("embedding_length_out", d_target), integer("feed_forward_length", kFf);
  integer("attention.head_count", kHeads), integer("attention.head_count_kv", FamilyModel::kKvHeads);
  integer("attention.shared_kv_layers", kLayers), integer("attention.sliding_window", 20);
  for (const char* key : {"attention.key_length", "attention.value_length", "attention.key_length_swa",
                          "attention.value_length_swa", "rope.dimension_count", "rope.dimension_count_swa"}) {
    integer(key, kHeadDim);
  }
  m.bool_arrays["gemma4-assistant.attention.sliding_window_pattern"] = {true, true, false};
  number("rope.freq_base", 1e6f), number("rope.freq_base_swa", 1e4f);
  number("attention.layer_norm_rms_epsilon", 1e-6f);
  m.add("token_embd.weight", {kWidth, FamilyModel::kVocab});
  m.add("output_norm.weight", {kWidth}, 1.0f);
  m.add("nextn.pre_projection.weight", {2 * d_target, kWidth});
  m.add("nextn.post_projection.weight", {kWidth, d_target});
  m.tensors["rope_freqs.weight"] = target.tensors.at("rope_freqs.weight");
  for (int i = 0; i < kLayers; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    for (const char* norm : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"}) {
      m.add(blk + norm + ".weight", {kWidth}, 1.0f);
    }
    m.add(blk + "attn_q.weight", {kWidth, kHeads * kHeadDim}), m.add(blk + "attn_q_norm.weight", {kHeadDim}, 1.0f);
    m.add(blk + "attn_output.weight", {kHeads * kHeadDim, kWidth});
    m.add(blk + "ffn_gate.weight", {kWidth, kFf}), m.add(blk + "ffn_up.weight", {kWidth, kFf});
    m.add(blk + "ffn_down.weight", {kFf, kWidth});
    m.add(blk + "layer_output_scale.weight", {1}, 0.75f);
  }
  return m;
}

}  // namespace hearth::testing
