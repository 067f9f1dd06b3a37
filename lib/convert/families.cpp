// The rows: families, names of tensors.
#include "lib/convert/families.h"

#include <algorithm>

#include "hearth/convert.h"
#include "lib/base/guard.h"

namespace hearth {
namespace {

constexpr NameRule kCommonNames[] = {
    {"embed_tokens", "token_embd"},
    {"norm", "output_norm"},
    {"lm_head", "output"},
    {"layers.%.input_layernorm", "blk.%.attn_norm"},
    {"layers.%.self_attn.q_proj", "blk.%.attn_q"},
    {"layers.%.self_attn.k_proj", "blk.%.attn_k"},
    {"layers.%.self_attn.v_proj", "blk.%.attn_v"},
    {"layers.%.self_attn.o_proj", "blk.%.attn_output"},
    {"layers.%.self_attn.qkv_proj", "blk.%.attn_qkv"},
    {"layers.%.self_attn.q_norm", "blk.%.attn_q_norm"},
    {"layers.%.self_attn.k_norm", "blk.%.attn_k_norm"},
    {"layers.%.post_attention_layernorm", "blk.%.ffn_norm"},
    {"layers.%.mlp.gate_proj", "blk.%.ffn_gate"},
    {"layers.%.mlp.up_proj", "blk.%.ffn_up"},
    {"layers.%.mlp.down_proj", "blk.%.ffn_down"},
    {"layers.%.mlp.gate_up_proj", "blk.%.ffn_up"},
    {"layers.%.mlp.gate", "blk.%.ffn_gate_inp"},
    {"layers.%.mlp.experts.@.gate_proj", "blk.%.ffn_gate_exps"},
    {"layers.%.mlp.experts.@.up_proj", "blk.%.ffn_up_exps"},
    {"layers.%.mlp.experts.@.down_proj", "blk.%.ffn_down_exps"},
    {"layers.%.mlp.experts.gate_up_proj", "blk.%.ffn_gate_up_exps.weight"},  // stacked; halves become two tensors
    {"layers.%.mlp.experts.down_proj", "blk.%.ffn_down_exps.weight"},
    {"layers.%.block_sparse_moe.gate", "blk.%.ffn_gate_inp"},
    {"layers.%.block_sparse_moe.experts.@.w1", "blk.%.ffn_gate_exps"},
    {"layers.%.block_sparse_moe.experts.@.w3", "blk.%.ffn_up_exps"},
    {"layers.%.block_sparse_moe.experts.@.w2", "blk.%.ffn_down_exps"},
    {"layers.%.self_attn.rotary_emb.inv_freq", ""},
    {"rotary_emb.inv_freq", ""},
};

constexpr NameRule kPostNorms[] = {
    {"layers.%.post_attention_layernorm", "blk.%.post_attention_norm"},
    {"layers.%.pre_feedforward_layernorm", "blk.%.ffn_norm"},
    {"layers.%.post_feedforward_layernorm", "blk.%.post_ffw_norm"},
};

constexpr NameRule kBert[] = {
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.position_embeddings", "position_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"embeddings.LayerNorm", "token_embd_norm"},
    {"encoder.layer.%.attention.self.query", "blk.%.attn_q"},
    {"encoder.layer.%.attention.self.key", "blk.%.attn_k"},
    {"encoder.layer.%.attention.self.value", "blk.%.attn_v"},
    {"encoder.layer.%.attention.output.dense", "blk.%.attn_output"},
    {"encoder.layer.%.attention.output.LayerNorm", "blk.%.attn_output_norm"},
    {"encoder.layer.%.intermediate.dense", "blk.%.ffn_up"},
    {"encoder.layer.%.output.dense", "blk.%.ffn_down"},
    {"encoder.layer.%.output.LayerNorm", "blk.%.layer_output_norm"},
    {"embeddings.position_ids", ""},
    {"pooler.dense", ""},
    {"lm_head.dense", ""},
    {"lm_head.layer_norm", ""},
    {"lm_head.decoder", ""},
    {"lm_head", ""},
};

constexpr NameRule kNomicBert[] = {
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"emb_ln", "token_embd_norm"},
    {"encoder.layers.%.attn.Wqkv", "blk.%.attn_qkv"},
    {"encoder.layers.%.attn.out_proj", "blk.%.attn_output"},
    {"encoder.layers.%.norm1", "blk.%.attn_output_norm"},
    {"encoder.layers.%.mlp.fc11", "blk.%.ffn_up"},
    {"encoder.layers.%.mlp.fc12", "blk.%.ffn_gate"},
    {"encoder.layers.%.mlp.fc2", "blk.%.ffn_down"},
    {"encoder.layers.%.norm2", "blk.%.layer_output_norm"},
};

constexpr NameRule kGlmMoe[] = {
    {"layers.%.post_attention_layernorm", "blk.%.post_attention_norm"},
    {"layers.%.mlp.gate.e_score_correction_bias", "blk.%.exp_probs_b.bias"},
    {"layers.%.mlp.shared_experts.gate_proj", "blk.%.ffn_gate_shexp"},
    {"layers.%.mlp.shared_experts.up_proj", "blk.%.ffn_up_shexp"},
    {"layers.%.mlp.shared_experts.down_proj", "blk.%.ffn_down_shexp"},
    {"layers.%.eh_proj", "blk.%.nextn.eh_proj"},
    {"layers.%.enorm", "blk.%.nextn.enorm"},
    {"layers.%.hnorm", "blk.%.nextn.hnorm"},
    {"layers.%.embed_tokens", "blk.%.nextn.embed_tokens"},
    {"layers.%.shared_head.norm", "blk.%.nextn.shared_head_norm"},
    {"layers.%.shared_head.head", "blk.%.nextn.shared_head_head"},
};

constexpr Family kFamilies[] = {
    {"llama", "llama", {}},
    {"mistral", "llama", {}},
    {"mixtral", "llama", {}},
    {"granite", "granite", {}},
    {"smollm3", "smollm3", {}, false, true},
    {"qwen2", "qwen2", {}},
    {"qwen3", "qwen3", {}},
    {"qwen3_moe", "qwen3moe", {}},
    {"phi3", "phi3", {}},
    {"olmo2", "olmo2", kPostNorms},
    {"gemma2", "gemma2", kPostNorms, true, true},
    {"gemma3_text", "gemma3", kPostNorms, true, true},
    {"gemma3", "gemma3", kPostNorms, true, true},
    {"glm4_moe", "glm4moe", kGlmMoe, false, false, 0, true},
    {"bert", "bert", kBert},
    {"roberta", "bert", kBert, false, false, 2},
    {"xlm-roberta", "bert", kBert, false, false, 2},
    {"nomic_bert", "nomic-bert", kNomicBert},
};

/// Longest first, where one begins like another.
constexpr std::string_view kPrefixes[] = {
    "model.language_model.", "language_model.model.", "language_model.", "model.", "bert.", "roberta.", ""};
constexpr std::string_view kOtherModalities[] = {"vision_tower.",       "multi_modal_projector.",
                                                 "model.vision_tower.", "model.multi_modal_projector.",
                                                 "audio_tower.",        "model.audio_tower."};

/// Takes digits from the front; -1 when there are none, or too many.
int64_t take_number(std::string_view& text) {
  size_t n = 0;
  int64_t value = 0;
  while (n < text.size() && n < 9 && text[n] >= '0' && text[n] <= '9') value = value * 10 + (text[n++] - '0');
  text.remove_prefix(n);
  return n > 0 ? value : -1;
}

bool matches(std::string_view pattern, std::string_view name, NewName& numbers) {
  while (!pattern.empty()) {
    if (pattern.front() == '%' || pattern.front() == '@') {
      int64_t& number = pattern.front() == '%' ? numbers.layer : numbers.expert;
      number = take_number(name);
      if (number < 0) return false;
    } else {
      if (name.empty() || name.front() != pattern.front()) return false;
      name.remove_prefix(1);
    }
    pattern.remove_prefix(1);
  }
  return name.empty();
}

std::optional<NewName> by_rules(std::span<const NameRule> rules, std::string_view name, std::string_view ending) {
  for (const NameRule& rule : rules) {
    NewName found;
    if (!matches(rule.from, name, found)) continue;
    for (const char c : rule.to) found.name += c == '%' ? std::to_string(found.layer) : std::string(1, c);
    if (!rule.to.empty()) found.name += ending;
    return found;
  }
  return std::nullopt;
}

}  // namespace

const Family* find_family(std::string_view model_type) {
  for (const Family& row : kFamilies) {
    if (row.model_type == model_type) return &row;
  }
  return nullptr;
}

const Family* find_family_of(std::string_view architecture) {
  for (const Family& row : kFamilies) {
    if (row.architecture == architecture) return &row;
  }
  return nullptr;
}

std::vector<std::string> convertible_model_types() {
  return guard_or(std::vector<std::string>(), [] {
    std::vector<std::string> types;
    for (const Family& row : kFamilies) types.emplace_back(row.model_type);
    return types;
  });
}

std::optional<NewName> rename_tensor(const Family& family, std::string_view name) {
  std::string_view ending;
  for (const std::string_view known : {std::string_view(".weight"), std::string_view(".bias")}) {
    if (name.ends_with(known)) ending = known;
  }
  const std::string_view whole = name.substr(0, name.size() - ending.size());
  for (const std::string_view prefix : kPrefixes) {
    if (!whole.starts_with(prefix)) continue;
    const std::string_view rest = whole.substr(prefix.size());
    if (auto found = by_rules(family.names, rest, ending)) return found;
    if (auto found = by_rules(kCommonNames, rest, ending)) return found;
  }
  return std::nullopt;
}

bool is_of_another_modality(std::string_view name) {
  return std::any_of(std::begin(kOtherModalities), std::end(kOtherModalities),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace hearth
