// Costs by tensor name: embeddings are looked up, experts are shared out, the output is computed on demand, and so is
// what no later token needs of the last layer.
#include "model_costs.h"

#include <charconv>
#include <cmath>

namespace hearth_tool {
namespace {

/// L of "blk.L.rest"; -1 elsewhere.
int32_t layer_of(std::string_view name) {
  int32_t layer = -1;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

/// Whether a matrix is behind the attention of its layer: keys and values of the tokens do not depend on it.
bool is_behind_attention(std::string_view name) {
  return name.find(".ffn_") != std::string_view::npos || name.find(".attn_output.") != std::string_view::npos;
}

}  // namespace

ModelCosts count_costs(const hearth::Model& model, hearth::KVType k_type, hearth::KVType v_type) {
  const hearth::ModelInfo& info = model.info();
  const hearth::GgufFile& file = model.file();
  const bool is_tied = file.tensor("output.weight") == nullptr;
  ModelCosts costs;
  for (const hearth::GgufTensor& t : file.tensors()) {
    const int32_t layer = layer_of(t.name);
    if (t.n_dims < 2 || layer >= info.n_layers) continue;  // later layers predict more than one token
    const bool is_on_demand = layer == info.n_layers - 1 && is_behind_attention(t.name);
    const auto bytes = static_cast<double>(t.size_bytes), macs = static_cast<double>(t.n_elements);
    const bool is_embedding = t.name == "token_embd.weight";
    const bool is_looked_up = is_embedding || t.name == "per_layer_token_embd.weight" ||
                              t.name == "position_embd.weight" || t.name == "token_types.weight";
    if (t.name == "output.weight" || (is_embedding && is_tied) ||
        (is_on_demand && t.name.find("_exps.") == std::string_view::npos)) {
      costs.output_bytes += bytes;
      costs.output_macs += macs;
    } else if (t.name.find("_exps.") != std::string_view::npos) {
      costs.expert_bytes += bytes;
      (is_on_demand ? costs.output_expert_macs : costs.expert_macs) += macs;
    } else if (!is_looked_up) {
      costs.dense_bytes += bytes;
      costs.dense_macs += macs;
    }
  }
  if (info.n_experts > 0) costs.expert_share = static_cast<double>(info.n_experts_used) / info.n_experts;
  const uint64_t head_bytes =
      hearth::kv_position_bytes(k_type, info.head_dim) + hearth::kv_position_bytes(v_type, info.head_dim);
  costs.kv_bytes_per_position = static_cast<double>(head_bytes) * info.n_layers * info.n_kv_heads;
  return costs;
}

double batch_weight_bytes(const ModelCosts& costs, double n_tokens) {
  const double hit = 1 - std::pow(1 - costs.expert_share, n_tokens);
  return costs.dense_bytes + costs.output_bytes + hit * costs.expert_bytes;
}

double batch_macs(const ModelCosts& costs, double n_tokens, double n_outputs) {
  return n_tokens * (costs.dense_macs + costs.expert_share * costs.expert_macs) +
         n_outputs * (costs.output_macs + costs.expert_share * costs.output_expert_macs);
}

}  // namespace hearth_tool
