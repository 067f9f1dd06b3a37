// The rows: every architecture that hearth runs. To add one, add a row; see architecture.h for the options.
#include "lib/arch/architecture.h"

namespace hearth {
namespace {

using kernels::Gate;

constexpr auto kHalves = RopeLayout::kHalves;

constexpr Architecture kArchitectures[] = {
    // --- Llama and those that differ little from it ---------------------------------------------------------------
    {.name = "llama"},
    {.name = "mistral3"},
    {.name = "granite"},
    {.name = "granitemoe"},
    {.name = "smollm3", .rope_skip_interval = 4},
    {.name = "arcee", .gate = Gate::kReluSquared, .gated = false},
    {.name = "internlm2"},
    {.name = "seed_oss", .ffn_norm_name = "post_attention_norm", .rope = kHalves},
    {.name = "starcoder2", .norm = NormKind::kLayer, .rope = kHalves, .gate = Gate::kGelu, .gated = false},
    {.name = "olmoe", .rope = kHalves, .qk_norm = QkNorm::kAllHeads, .renormalize_experts = false},
    {.name = "qwen2", .rope = kHalves},
    {.name = "qwen2moe",
     .rope = kHalves,
     .renormalize_experts = false,
     .experts_share_width = true,
     .shared_expert_is_dense = true},
    {.name = "qwen3", .rope = kHalves, .qk_norm = QkNorm::kPerHead},
    {.name = "qwen3moe", .rope = kHalves, .qk_norm = QkNorm::kPerHead, .experts_share_width = true},
    {.name = "phi3", .rope = kHalves},
    {.name = "chatglm"},
    {.name = "glm4", .post_norms = true},
    {.name = "olmo2",
     .norm_place = NormPlace::kPostOnly,
     .post_norms = true,
     .rope = kHalves,
     .local_rope_scaled = false,
     .qk_norm = QkNorm::kAllHeads,
     .window = WindowPattern::kInterval,
     .window_interval = 4},

    // --- Gemma -------------------------------------------------------------------------------------------------------
    {.name = "gemma", .norm_eps = 1e-6f, .embedding_scaled = true, .rope = kHalves, .gate = Gate::kGelu},
    {.name = "gemma2",
     .norm_eps = 1e-6f,
     .post_norms = true,
     .embedding_scaled = true,
     .rope = kHalves,
     .window = WindowPattern::kInterval,
     .window_interval = 2,
     .window_default = 4096,
     .attention_scale = AttentionScale::kEmbeddingShare,
     .scale_layers = 46,
     .attention_soft_cap = 50.0f,
     .final_soft_cap = 30.0f,
     .gate = Gate::kGelu},
    {.name = "gemma3",
     .norm_eps = 1e-6f,
     .post_norms = true,
     .embedding_scaled = true,
     .rope = kHalves,
     .local_rope_base = 10000.0f,
     .local_rope_scaled = false,
     .qk_norm = QkNorm::kPerHead,
     .window = WindowPattern::kInterval,
     .window_interval = 6,
     .attention_scale = AttentionScale::kEmbeddingShare,
     .scale_layers = 62,
     .gate = Gate::kGelu},
    {.name = "gemma4",
     .norm_eps = 1e-6f,
     .post_norms = true,
     .embedding_scaled = true,
     .rope = kHalves,
     .local_rope_base = 10000.0f,
     .local_rope_scaled = false,
     .qk_norm = QkNorm::kPerHead,
     .v_norm = true,
     .v_may_be_k = true,
     .window = WindowPattern::kFromFile,
     .attention_scale = AttentionScale::kOne,
     .final_soft_cap = 30.0f,
     .gate = Gate::kGelu,
     .experts_beside_dense = true},

    // --- mixtures of experts with their own rules --------------------------------------------------------------------
    {.name = "gpt-oss",
     .ffn_norm_name = "post_attention_norm",
     .rope = kHalves,
     .window = WindowPattern::kInterval,
     .window_interval = 2,
     .gate = Gate::kSwigluClamped,
     .router = Router::kTopKSoftmax},
    {.name = "deepseek2",
     .yarn_scales_scores = true,
     .latent = true,
     .router = Router::kFromFile,
     .renormalize_experts = false},
    {.name = "glm4moe",  // GLM-4.5, -4.6 and -4.7: the large ones have norms of queries and keys
     .ffn_norm_name = "post_attention_norm",
     .rope = kHalves,
     .qk_norm = QkNorm::kPerHeadOptional,
     .router = Router::kFromFile},

    // --- recurrent layers between those with attention ---------------------------------------------------------------
    {.name = "qwen3next",
     .ffn_norm_name = "post_attention_norm",
     .rope = kHalves,
     .qk_norm = QkNorm::kPerHead,
     .gated_queries = true,
     .recurrent = true},
    {.name = "qwen35",
     .ffn_norm_name = "post_attention_norm",
     .rope = kHalves,
     .qk_norm = QkNorm::kPerHead,
     .gated_queries = true,
     .recurrent = true,
     .value_heads_tiled = true},
    {.name = "qwen35moe",
     .ffn_norm_name = "post_attention_norm",
     .rope = kHalves,
     .qk_norm = QkNorm::kPerHead,
     .gated_queries = true,
     .recurrent = true,
     .value_heads_tiled = true},

    // --- encoders: text in, one vector out ---------------------------------------------------------------------------
    {.name = "bert",  // and RoBERTa, XLM-R (bge-m3): their files leave out the unused first positions
     .norm = NormKind::kLayer,
     .norm_place = NormPlace::kAfterAdd,
     .attn_post_norm_name = "attn_output_norm",
     .ffn_post_norm_name = "layer_output_norm",
     .embedding_norm = true,
     .learned_positions = true,
     .token_types = true,
     .rope = RopeLayout::kNone,
     .causal = false,
     .gate = Gate::kGelu,
     .gated = false},
    {.name = "nomic-bert",
     .norm = NormKind::kLayer,
     .norm_place = NormPlace::kAfterAdd,
     .attn_post_norm_name = "attn_output_norm",
     .ffn_post_norm_name = "layer_output_norm",
     .embedding_norm = true,
     .token_types = true,
     .rope = kHalves,
     .causal = false},
    {.name = "nomic-bert-moe",
     .norm = NormKind::kLayer,
     .norm_place = NormPlace::kAfterAdd,
     .attn_post_norm_name = "attn_output_norm",
     .ffn_post_norm_name = "layer_output_norm",
     .embedding_norm = true,
     .token_types = true,
     .rope = kHalves,
     .causal = false,
     .gate = Gate::kGelu,
     .gated = false,
     .renormalize_experts = false},
    {.name = "jina-bert-v2",
     .norm = NormKind::kLayer,
     .norm_place = NormPlace::kAfterAdd,
     .attn_post_norm_name = "attn_output_norm",
     .ffn_post_norm_name = "layer_output_norm",
     .embedding_norm = true,
     .token_types = true,
     .rope = RopeLayout::kNone,
     .alibi_max_bias = 8.0f,
     .qk_norm = QkNorm::kAllOptional,
     .causal = false,
     .gate = Gate::kGelu},
    {.name = "gemma-embedding",
     .norm_eps = 1e-6f,
     .post_norms = true,
     .embedding_scaled = true,
     .rope = kHalves,
     .local_rope_base = 10000.0f,
     .local_rope_scaled = false,
     .qk_norm = QkNorm::kPerHead,
     .window = WindowPattern::kInterval,
     .window_interval = 6,
     .window_symmetric = true,
     .causal = false,
     .gate = Gate::kGelu},
};

}  // namespace

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& row : kArchitectures) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& row : kArchitectures) names.emplace_back(row.name);
  return names;
}

}  // namespace hearth
