// config.json: numbers as keys of GGUF, by a table; rotary scaling.
#include <cmath>
#include <numbers>

#include "lib/base/concat.h"
#include "lib/base/quote.h"
#include "lib/convert/families.h"

namespace hearth {
namespace {

constexpr double kMaxSize = 1 << 30;
constexpr int64_t kMaxHeadDims = 1 << 16;
constexpr uint32_t kSigmoid = 2;  // of expert_gating_func: families here whose router the file tells have no other

enum class Kind : uint8_t { kInteger, kFloat };

/// Keys whose value is that of config.json under one of the names.
constexpr struct {
  std::string_view key;
  Kind kind;
  std::string_view names[3];
} kKeys[] = {
    {"vocab_size", Kind::kInteger, {"vocab_size"}},
    {"embedding_length", Kind::kInteger, {"hidden_size", "n_embd"}},
    {"feed_forward_length", Kind::kInteger, {"intermediate_size", "n_inner"}},
    {"attention.layer_norm_rms_epsilon", Kind::kFloat, {"rms_norm_eps"}},
    {"attention.layer_norm_epsilon", Kind::kFloat, {"layer_norm_eps", "layer_norm_epsilon"}},
    {"expert_count", Kind::kInteger, {"num_experts", "num_local_experts", "n_routed_experts"}},
    {"expert_shared_count", Kind::kInteger, {"n_shared_experts"}},
    {"expert_weights_scale", Kind::kFloat, {"routed_scaling_factor"}},
    {"expert_group_count", Kind::kInteger, {"n_group"}},
    {"expert_group_used_count", Kind::kInteger, {"topk_group"}},
    {"leading_dense_block_count", Kind::kInteger, {"first_k_dense_replace"}},
    {"expert_used_count", Kind::kInteger, {"num_experts_per_tok"}},
    {"expert_feed_forward_length", Kind::kInteger, {"moe_intermediate_size"}},
    {"attn_logit_softcapping", Kind::kFloat, {"attn_logit_softcapping"}},
    {"final_logit_softcapping", Kind::kFloat, {"final_logit_softcapping"}},
    {"attention.scale", Kind::kFloat, {"attention_multiplier"}},
    {"embedding_scale", Kind::kFloat, {"embedding_multiplier"}},
    {"residual_scale", Kind::kFloat, {"residual_multiplier"}},
    {"logit_scale", Kind::kFloat, {"logits_scaling"}},
    {"token_type_count", Kind::kInteger, {"type_vocab_size"}},
};

json::Value find_value(json::Value config, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const json::Value v = name.empty() ? json::Value() : config[name];
    if (!v.is_null()) return v;
  }
  return {};
}

/// Older files call it so, newer ones have the base in it as well.
json::Value rope_settings(json::Value config) {
  json::Value settings = find_value(config, {"rope_scaling", "rope_parameters"});
  const json::Value of_full_attention = settings["full_attention"];  // one set for each kind of layer
  return of_full_attention.is_object() ? of_full_attention : settings;
}

std::string_view rope_type(json::Value settings) {
  const std::string_view type = settings["rope_type"].text();
  return type.empty() ? settings["type"].text() : type;
}

Error bad_config(std::string_view name, const std::string& what) {
  return Error{ErrorCode::kFormat, concat("config.json: ", quoted(name), " ", what)};
}

/// Wave lengths that the training context held often stay, long ones are stretched, between them it blends (Llama 3.1).
Result<std::vector<float>> llama3_factors(json::Value settings, double base, int64_t n_rot) {
  const auto factor = config_number(settings, {"factor"}), low = config_number(settings, {"low_freq_factor"}),
             high = config_number(settings, {"high_freq_factor"}),
             original = config_number(settings, {"original_max_position_embeddings"});
  if (!factor || !low || !high || !original || !(*factor > 0) || !(*high > *low) || !(*low > 0)) {
    return bad_config("rope_scaling", "of type llama3 lacks a factor");
  }
  std::vector<float> factors;
  for (int64_t i = 0; i < n_rot / 2; ++i) {
    const double length =
        2 * std::numbers::pi * std::pow(base, 2.0 * static_cast<double>(i) / static_cast<double>(n_rot));
    const double blend = (*original / length - *low) / (*high - *low);
    const double value = length < *original / *high  ? 1
                         : length > *original / *low ? *factor
                                                     : 1 / ((1 - blend) / *factor + blend);
    factors.push_back(static_cast<float>(value));
  }
  return factors;
}

Status read_factors(json::Value list, int64_t n_rot, std::vector<float>& out) {
  for (json::Value v = list.first(); v; v = v.next()) out.push_back(static_cast<float>(v.number().value_or(0)));
  if (static_cast<int64_t>(out.size()) == n_rot / 2) return {};
  return bad_config("rope_scaling", concat("has ", out.size(), " factors for ", n_rot / 2, " frequencies"));
}

Status read_long_rope(json::Value config, json::Value settings, const ConfigSizes& sizes, int64_t n_rot,
                      RopeScalingKeys& rope) {
  if (Status s = read_factors(settings["long_factor"], n_rot, rope.long_factors); !s) return s;
  if (Status s = read_factors(settings["short_factor"], n_rot, rope.short_factors); !s) return s;
  const double original = config_number(config, {"original_max_position_embeddings"})
                              .value_or(config_number(settings, {"original_max_position_embeddings"}).value_or(0));
  if (!(original > 1 && original < kMaxSize)) return bad_config("original_max_position_embeddings", "is missing");
  rope.n_ctx_original = static_cast<int64_t>(original);
  const double stretch = static_cast<double>(sizes.n_ctx) / original;
  rope.attn_factor = stretch > 1 ? std::sqrt(1 + std::log(stretch) / std::log(original)) : 1;
  return {};
}

}  // namespace

std::optional<double> config_number(json::Value config, std::initializer_list<std::string_view> names) {
  const auto number = find_value(config, names).number();
  return number && std::isfinite(*number) ? number : std::nullopt;
}

Result<ConfigSizes> read_sizes(const Family& family, json::Value config) {
  ConfigSizes sizes;
  const struct {
    std::string_view name, other;
    int64_t& value;
    bool required;
  } wanted[] = {{"num_hidden_layers", "n_layer", sizes.n_layers, true},
                {"hidden_size", "n_embd", sizes.d_model, true},
                {"num_attention_heads", "n_head", sizes.n_heads, true},
                {"num_key_value_heads", "", sizes.n_kv_heads, false},
                {"head_dim", "", sizes.head_dim, false},
                {"vocab_size", "", sizes.n_vocab, false},
                {"max_position_embeddings", "n_positions", sizes.n_ctx, true}};
  for (const auto& row : wanted) {
    const auto number = config_number(config, {row.name, row.other});
    if (!number && !row.required) continue;
    if (!number || !(*number >= 1 && *number <= kMaxSize)) return bad_config(row.name, "is missing or out of range");
    row.value = static_cast<int64_t>(*number);
  }
  if (sizes.n_ctx <= family.first_position) return bad_config("max_position_embeddings", "is out of range");
  sizes.n_ctx -= family.first_position;
  if (sizes.n_kv_heads == 0) sizes.n_kv_heads = sizes.n_heads;
  if (sizes.head_dim == 0) sizes.head_dim = sizes.d_model / sizes.n_heads;
  if (sizes.head_dim < 1 || sizes.head_dim > kMaxHeadDims) return bad_config("head_dim", "is out of range");
  const double extra = family.predicts ? config_number(config, {"num_nextn_predict_layers"}).value_or(0) : 0;
  if (!(extra >= 0 && extra <= kMaxSize)) return bad_config("num_nextn_predict_layers", "is out of range");
  sizes.n_extra_layers = static_cast<int64_t>(extra);
  sizes.tied = config["tie_word_embeddings"].boolean().value_or(family.tied_by_default);
  return sizes;
}

double read_rope_base(json::Value config) {
  const auto inside = config_number(rope_settings(config), {"rope_theta"});
  return config_number(config, {"rope_theta", "rotary_emb_base"}).value_or(inside.value_or(0));
}

int64_t rotated_dims(json::Value config, const ConfigSizes& sizes) {
  const double share = config_number(config, {"partial_rotary_factor", "rotary_emb_fraction"}).value_or(1);
  return share > 0 && share < 1 ? static_cast<int64_t>(share * static_cast<double>(sizes.head_dim)) : sizes.head_dim;
}

Result<RopeScalingKeys> read_rope_scaling(json::Value config, const ConfigSizes& sizes) {
  RopeScalingKeys rope;
  const json::Value settings = rope_settings(config);
  const std::string_view type = rope_type(settings);
  const int64_t n_rot = rotated_dims(config, sizes);
  if (type.empty() || type == "default") return rope;
  if (type == "llama3") {
    auto factors = llama3_factors(settings, read_rope_base(config), n_rot);
    if (!factors) return factors.error();
    rope.factors = *std::move(factors);
  } else if (type == "longrope" || type == "su") {
    if (Status s = read_long_rope(config, settings, sizes, n_rot, rope); !s) return s.error();
  } else if (type == "linear" || type == "yarn") {
    rope.type = type;
    rope.factor = config_number(settings, {"factor"}).value_or(0);
    if (!(rope.factor > 0)) return bad_config("rope_scaling", "has no factor");
    if (type == "linear") return rope;
    const double original = config_number(settings, {"original_max_position_embeddings"}).value_or(sizes.n_ctx);
    rope.n_ctx_original = original >= 1 && original < kMaxSize ? static_cast<int64_t>(original) : sizes.n_ctx;
    rope.beta_fast = config_number(settings, {"beta_fast"}).value_or(0);
    rope.beta_slow = config_number(settings, {"beta_slow"}).value_or(0);
    const double usual = 0.1 * std::log(std::max(rope.factor, 1.0)) + 1;
    rope.attn_factor = config_number(settings, {"attention_factor"}).value_or(0) / usual;
  } else {
    return Error{ErrorCode::kUnsupported, "config.json: rope_scaling of type " + quote(type)};
  }
  return rope;
}

namespace {

Status add_rope(GgufWriter& out, const std::string& base, const RopeScalingKeys& rope) {
  Status s;
  if (!rope.type.empty()) s = out.add_string(base + "rope.scaling.type", rope.type);
  for (const auto& [name, value] : {std::pair{"factor", rope.factor},
                                    {"attn_factor", rope.attn_factor},
                                    {"yarn_beta_fast", rope.beta_fast},
                                    {"yarn_beta_slow", rope.beta_slow}}) {
    if (s && value > 0) s = out.add_float32(concat(base, "rope.scaling.", name), static_cast<float>(value));
  }
  if (s && rope.n_ctx_original > 0) {
    s = out.add_uint32(base + "rope.scaling.original_context_length", static_cast<uint32_t>(rope.n_ctx_original));
  }
  return s;
}

Status add_attention(GgufWriter& out, const std::string& base, const Architecture& arch, json::Value config,
                     const ConfigSizes& sizes) {
  Status s = out.add_uint32(base + "attention.head_count", static_cast<uint32_t>(sizes.n_heads));
  if (s) s = out.add_uint32(base + "attention.head_count_kv", static_cast<uint32_t>(sizes.n_kv_heads));
  if (!config["head_dim"].is_null()) {
    if (s) s = out.add_uint32(base + "attention.key_length", static_cast<uint32_t>(sizes.head_dim));
    if (s) s = out.add_uint32(base + "attention.value_length", static_cast<uint32_t>(sizes.head_dim));
  }
  const auto window = config_number(config, {"sliding_window"});
  if (s && arch.window != WindowPattern::kNone && window && *window >= 1 && *window <= kMaxSize) {
    s = out.add_uint32(base + "attention.sliding_window", static_cast<uint32_t>(*window));
  }
  const auto scalar = config_number(config, {"query_pre_attn_scalar"});
  if (s && scalar && *scalar > 0 && *scalar != static_cast<double>(sizes.head_dim)) {
    s = out.add_float32(base + "attention.scale", static_cast<float>(1 / std::sqrt(*scalar)));
  }
  if (s && !arch.causal) s = out.add_bool(base + "attention.causal", false);
  return s;
}

}  // namespace

Status add_config(GgufWriter& out, const Family&, const Architecture& arch, json::Value config,
                  const ConfigSizes& sizes, const RopeScalingKeys& rope) {
  const std::string base = concat(arch.name, ".");
  Status s = out.add_uint32(base + "context_length", static_cast<uint32_t>(sizes.n_ctx));
  if (s) s = out.add_uint32(base + "block_count", static_cast<uint32_t>(sizes.n_layers + sizes.n_extra_layers));
  if (s && sizes.n_extra_layers > 0) {
    s = out.add_uint32(base + "nextn_predict_layers", static_cast<uint32_t>(sizes.n_extra_layers));
  }
  if (s && gating_from_file(arch.router)) s = out.add_uint32(base + "expert_gating_func", kSigmoid);
  for (const auto& row : kKeys) {
    const auto number = config_number(config, {row.names[0], row.names[1], row.names[2]});
    if (!s || !number) continue;
    if (row.kind == Kind::kFloat) {
      s = out.add_float32(concat(base, row.key), static_cast<float>(*number));
      continue;
    }
    if (!(*number >= 0 && *number <= kMaxSize)) return bad_config(row.names[0], "is out of range");
    s = out.add_uint32(concat(base, row.key), static_cast<uint32_t>(*number));
  }
  if (s) s = add_attention(out, base, arch, config, sizes);
  if (s && arch.rope != RopeLayout::kNone) {
    s = out.add_uint32(base + "rope.dimension_count", static_cast<uint32_t>(rotated_dims(config, sizes)));
    const double rope_base = read_rope_base(config);
    if (s && rope_base > 0) s = out.add_float32(base + "rope.freq_base", static_cast<float>(rope_base));
    if (s) s = add_rope(out, base, rope);
  }
  const auto normalized = config["norm_topk_prob"].boolean();
  if (s && normalized) s = out.add_bool(base + "expert_weights_norm", *normalized);
  return s;
}

}  // namespace hearth
