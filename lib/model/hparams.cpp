// Reads hyper-parameters: every number is range-checked here, so that later arithmetic on sizes cannot overflow.
#include "lib/model/hparams.h"

#include <cmath>
#include <optional>

namespace hearth {
namespace {

constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxWidth = 1 << 20;  // d_model, d_ff, n_heads * head_dim
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxHeadDim = 4096;
constexpr int64_t kMaxExperts = 4096;
constexpr int64_t kMaxContext = 1 << 27;

/// Reads keys below "<arch>." and remembers the first failure, so that a reader is a plain list.
class KeyReader {
 public:
  KeyReader(const GgufFile& file, std::string_view arch) : file_(file), prefix_(std::string(arch) + ".") {}

  bool has(const char* key) const { return file_.find(prefix_ + key) != nullptr; }

  int64_t integer(const char* key, int64_t lo, int64_t hi, std::optional<int64_t> fallback = {}) {
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return fallback.value_or(lo);
    return checked(key, value->as_int(), lo, hi, fallback.value_or(lo));
  }

  /// A scalar, or one number a layer.
  std::vector<int> per_layer(const char* key, int n_layers, int64_t lo, int64_t hi,
                             std::optional<int64_t> fallback = {}) {
    std::vector<int> all(static_cast<size_t>(n_layers), static_cast<int>(fallback.value_or(lo)));
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return all;
    if (value->type() != GgufType::kArray) {
      const auto same = static_cast<int>(checked(key, value->as_int(), lo, hi, lo));
      all.assign(all.size(), same);
      return all;
    }
    Result<std::vector<int64_t>> list = value->as_int_array();
    if (!list) return fail(list.error()), all;
    if (list->size() < all.size()) {
      return fail({ErrorCode::kFormat, prefix_ + key + ": has " + std::to_string(list->size()) + " entries for " +
                                           std::to_string(n_layers) + " layers"}),
             all;
    }
    for (size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<int>(checked(key, Result<int64_t>((*list)[i]), lo, hi, lo));
    }
    return all;
  }

  double number(const char* key, double lo, double hi, std::optional<double> fallback = {}) {
    const GgufValue* value = require(key, fallback.has_value());
    if (!value) return fallback.value_or(lo);
    Result<double> number = value->as_float();
    if (!number) return fail({number.error().code, prefix_ + key + ": " + number.error().message}), lo;
    if (!(*number >= lo && *number <= hi)) {  // also refuses NaN
      return fail({ErrorCode::kFormat, prefix_ + key + ": " + std::to_string(*number) + " is out of range"}), lo;
    }
    return *number;
  }

  bool boolean(const char* key, bool fallback) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value) return fallback;
    Result<bool> flag = value->as_bool();
    if (!flag) return fail({flag.error().code, prefix_ + key + ": " + flag.error().message}), fallback;
    return *flag;
  }

  std::string text(const char* key, const char* fallback) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value) return fallback;
    Result<std::string_view> string = value->as_string();
    if (!string) return fail({string.error().code, prefix_ + key + ": " + string.error().message}), fallback;
    return std::string(*string);
  }

  const GgufValue* find(const char* key) const { return file_.find(prefix_ + key); }
  std::string name(const char* key) const { return prefix_ + key; }

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const GgufValue* require(const char* key, bool optional) {
    const GgufValue* value = file_.find(prefix_ + key);
    if (!value && !optional) fail({ErrorCode::kNotFound, "missing key " + prefix_ + key});
    return value;
  }

  int64_t checked(const char* key, const Result<int64_t>& value, int64_t lo, int64_t hi, int64_t fallback) {
    if (!value) return fail({value.error().code, prefix_ + key + ": " + value.error().message}), fallback;
    if (*value < lo || *value > hi) {
      fail({ErrorCode::kFormat, prefix_ + key + ": " + std::to_string(*value) + " is not in " + std::to_string(lo) +
                                    ".." + std::to_string(hi)});
      return fallback;
    }
    return *value;
  }

  const GgufFile& file_;
  std::string prefix_;
  std::optional<Error> error_;
};

RopeScaling parse_scaling(KeyReader& keys, const std::string& type) {
  if (type == "none") return RopeScaling::kNone;
  if (type == "linear") return RopeScaling::kLinear;
  if (type == "yarn") return RopeScaling::kYarn;
  if (type == "longrope") return RopeScaling::kLongRope;
  keys.fail({ErrorCode::kUnsupported, keys.name("rope.scaling.type") + ": unknown scaling \"" + type + "\""});
  return RopeScaling::kNone;
}

RopeParams read_rope(KeyReader& keys, const HParams& hp, int k_dim) {
  RopeParams rope;
  rope.n_rot = static_cast<int>(keys.integer("rope.dimension_count", 2, kMaxHeadDim, k_dim));
  rope.base = keys.number("rope.freq_base", 1.0, 1e12, 10000.0);
  rope.n_ctx_original = keys.integer("rope.scaling.original_context_length", 1, kMaxContext, hp.n_ctx_train);
  const double old_factor = keys.number("rope.scale_linear", 0.0, 1e6, 0.0);
  rope.factor = keys.number("rope.scaling.factor", 0.0, 1e6, old_factor);
  const bool factor_given = rope.factor > 0;
  if (!factor_given) rope.factor = 1.0;
  rope.scaling = parse_scaling(keys, keys.text("rope.scaling.type", factor_given ? "linear" : "none"));
  if (rope.scaling == RopeScaling::kNone) rope.factor = 1.0;
  rope.attn_factor = keys.number("rope.scaling.attn_factor", 0.0, 1e3, 1.0);
  rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0);
  rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0);
  rope.yarn_log_multiplier = keys.number("rope.scaling.yarn_log_multiplier", -1e3, 1e3, 0.0);
  return rope;
}

/// attention.sliding_window_pattern: booleans (true: the layer slides) or an interval (its last layer sees all).
std::vector<bool> sliding_layers(KeyReader& keys, const Architecture& arch, int n_layers) {
  const auto n = static_cast<size_t>(n_layers);
  std::vector<bool> slides(n, arch.window == WindowPattern::kAll);
  int interval =
      arch.window == WindowPattern::kInterval || arch.window == WindowPattern::kFromFile ? arch.window_interval : 0;
  const GgufValue* pattern = keys.find("attention.sliding_window_pattern");
  if (pattern && (arch.window == WindowPattern::kFromFile || arch.window == WindowPattern::kInterval)) {
    if (pattern->type() == GgufType::kArray) {
      Result<std::vector<GgufValue>> flags = pattern->as_array();
      if (!flags || flags->size() < n) {
        keys.fail({ErrorCode::kFormat, keys.name("attention.sliding_window_pattern") + ": not one boolean a layer"});
        return slides;
      }
      for (size_t i = 0; i < n; ++i) {
        const Result<bool> flag = (*flags)[i].as_bool();
        const Result<int64_t> number = (*flags)[i].as_int();
        if (!flag && !number)
          keys.fail({ErrorCode::kFormat, keys.name("attention.sliding_window_pattern") + ": not booleans"});
        slides[i] = flag ? *flag : (number && *number != 0);
      }
      return slides;
    }
    interval = static_cast<int>(keys.integer("attention.sliding_window_pattern", 1, kMaxLayers, arch.window_interval));
  }
  if (interval > 0) {
    for (size_t i = 0; i < n; ++i) slides[i] = (i + 1) % static_cast<size_t>(interval) != 0;
  }
  return slides;
}

void read_experts(KeyReader& keys, const Architecture& arch, HParams& hp) {
  ExpertParams& moe = hp.experts;
  moe.n_experts = static_cast<int>(keys.integer("expert_count", 0, kMaxExperts, 0));
  if (moe.n_experts == 0) return;
  moe.n_used = static_cast<int>(keys.integer("expert_used_count", 1, moe.n_experts));
  moe.d_ff = static_cast<int>(keys.integer("expert_feed_forward_length", 1, kMaxWidth, hp.layers[0].d_ff));
  const int64_t shared = keys.integer("expert_shared_count", 0, 64, 0);
  moe.d_ff_shared =
      static_cast<int>(keys.integer("expert_shared_feed_forward_length", 0, kMaxWidth, shared * moe.d_ff));
  moe.weights_scale = static_cast<float>(keys.number("expert_weights_scale", 0.0, 1e4, 1.0));
  if (moe.weights_scale == 0.0f) moe.weights_scale = 1.0f;
  moe.renormalize = keys.boolean("expert_weights_norm", arch.renormalize_experts);
  moe.n_groups = static_cast<int>(keys.integer("expert_group_count", 0, moe.n_experts, 0));
  moe.n_groups_used = static_cast<int>(keys.integer("expert_group_used_count", 0, moe.n_experts, 0));
  if (moe.n_groups > 1 &&
      (moe.n_experts % moe.n_groups != 0 || moe.n_groups_used < 1 || moe.n_groups_used > moe.n_groups)) {
    keys.fail({ErrorCode::kFormat, keys.name("expert_group_count") + ": does not divide the experts"});
  }
  if (arch.router == Router::kFromFile) moe.sigmoid = keys.integer("expert_gating_func", 0, 2, 1) == 2;
  const int64_t dense = keys.integer("leading_dense_block_count", 0, hp.n_layers, 0);
  for (int i = 0; i < hp.n_layers; ++i) hp.layers[static_cast<size_t>(i)].experts = i >= dense;
}

void read_layers(KeyReader& keys, const Architecture& arch, HParams& hp) {
  const auto heads = keys.per_layer("attention.head_count", hp.n_layers, 1, kMaxHeads);
  std::vector<int> kv_heads = heads;
  if (keys.has("attention.head_count_kv"))
    kv_heads = keys.per_layer("attention.head_count_kv", hp.n_layers, 1, kMaxHeads);
  const auto d_ff = keys.per_layer("feed_forward_length", hp.n_layers, 1, kMaxWidth);
  if (keys.error()) return;
  const int shared_dim = hp.d_model / heads[0];
  const auto k_dim = static_cast<int>(keys.integer("attention.key_length", 1, kMaxHeadDim, shared_dim));
  const auto v_dim = static_cast<int>(keys.integer("attention.value_length", 1, kMaxHeadDim, k_dim));
  const auto k_local = static_cast<int>(keys.integer("attention.key_length_swa", 1, kMaxHeadDim, k_dim));
  const auto v_local = static_cast<int>(keys.integer("attention.value_length_swa", 1, kMaxHeadDim, v_dim));
  const auto window = static_cast<int>(keys.integer("attention.sliding_window", 0, kMaxContext, 0));
  const std::vector<bool> slides = sliding_layers(keys, arch, hp.n_layers);
  for (int i = 0; i < hp.n_layers; ++i) {
    const auto at = static_cast<size_t>(i);
    LayerShape& layer = hp.layers[at];
    const bool local = slides[at] && window > 0;
    layer.n_heads = heads[at];
    layer.n_kv_heads = kv_heads[at];
    layer.k_dim = local ? k_local : k_dim;
    layer.v_dim = local ? v_local : v_dim;
    layer.d_ff = d_ff[at];
    layer.window = local ? window : 0;
    const bool skip = arch.rope_skip_interval > 0 && (i + 1) % arch.rope_skip_interval == 0;
    layer.rope = arch.rope == RopeLayout::kNone || skip ? -1 : (local ? 1 : 0);
    if (layer.n_heads % layer.n_kv_heads != 0) {
      keys.fail({ErrorCode::kFormat, keys.name("attention.head_count_kv") + ": " + std::to_string(layer.n_kv_heads) +
                                         " does not divide " + std::to_string(layer.n_heads) + " heads"});
    }
  }
  RopeParams global = read_rope(keys, hp, k_dim);
  RopeParams local = global;
  if (k_local != k_dim) local.n_rot = k_local;
  local.n_rot = static_cast<int>(keys.integer("rope.dimension_count_swa", 2, kMaxHeadDim, local.n_rot));
  local.base =
      keys.number("rope.freq_base_swa", 1.0, 1e12, arch.local_rope_base > 0 ? arch.local_rope_base : global.base);
  if (!arch.local_rope_scaled) {
    local.scaling = RopeScaling::kNone;
    local.factor = 1.0;
    local.use_factors = false;
  }
  hp.ropes = {global, local};
  for (const LayerShape& layer : hp.layers) {
    if (layer.rope < 0) continue;
    const int n_rot = hp.ropes[static_cast<size_t>(layer.rope)].n_rot;
    if (n_rot % 2 != 0 || n_rot > layer.k_dim) {
      keys.fail({ErrorCode::kFormat, keys.name("rope.dimension_count") + ": " + std::to_string(n_rot) +
                                         " is odd or larger than a head of " + std::to_string(layer.k_dim)});
    }
  }
}

Pooling read_pooling(KeyReader& keys) {
  switch (keys.integer("pooling_type", 0, 4, 0)) {
    case 1: return Pooling::kMean;
    case 2: return Pooling::kCls;
    case 3: return Pooling::kLast;
    case 4: return Pooling::kRank;
    default: return Pooling::kNone;
  }
}

}  // namespace

float HParams::score_scale(int layer) const {
  if (attention_scale > 0) return attention_scale;
  return 1.0f / std::sqrt(static_cast<float>(layers[static_cast<size_t>(layer)].k_dim));
}

Result<HParams> read_hparams(const GgufFile& file, const Architecture& arch) {
  KeyReader keys(file, arch.name);
  HParams hp;
  hp.n_layers = static_cast<int>(keys.integer("block_count", 1, kMaxLayers));
  hp.d_model = static_cast<int>(keys.integer("embedding_length", 1, kMaxWidth));
  hp.n_ctx_train = static_cast<int>(keys.integer("context_length", 1, kMaxContext));
  const bool rms = arch.norm == NormKind::kRms;
  hp.norm_eps = static_cast<float>(
      keys.number(rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", 0.0, 1.0));
  if (keys.error()) return *keys.error();
  hp.layers.resize(static_cast<size_t>(hp.n_layers));
  read_layers(keys, arch, hp);
  if (keys.error()) return *keys.error();
  read_experts(keys, arch, hp);

  hp.embedding_scale = arch.embedding_scaled ? std::sqrt(static_cast<float>(hp.d_model)) : 1.0f;
  hp.embedding_scale *= static_cast<float>(keys.number("embedding_scale", 0.0, 1e6, 1.0));
  hp.residual_scale = static_cast<float>(keys.number("residual_scale", 0.0, 1e6, 1.0));
  const double logit_divisor = keys.number("logit_scale", 0.0, 1e6, 1.0);
  hp.logit_scale = logit_divisor > 0 ? static_cast<float>(1.0 / logit_divisor) : 1.0f;
  hp.attention_scale = static_cast<float>(keys.number("attention.scale", 0.0, 1e6, 0.0));
  if (hp.attention_scale == 0.0f && arch.attention_scale == AttentionScale::kOne) hp.attention_scale = 1.0f;
  if (hp.attention_scale == 0.0f && arch.attention_scale == AttentionScale::kEmbeddingShare &&
      hp.n_layers == arch.scale_layers) {
    hp.attention_scale = 1.0f / std::sqrt(static_cast<float>(hp.d_model) / static_cast<float>(hp.layers[0].n_heads));
  }
  hp.attention_soft_cap = static_cast<float>(keys.number("attn_logit_softcapping", 0.0, 1e6, 0.0));
  hp.final_soft_cap = static_cast<float>(keys.number("final_logit_softcapping", 0.0, 1e6, 0.0));
  hp.causal = keys.boolean("attention.causal", arch.causal);
  hp.pooling = read_pooling(keys);
  if (keys.error()) return *keys.error();
  return hp;
}

}  // namespace hearth
