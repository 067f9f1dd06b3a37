// Sizes of every layer, and the rotary embeddings, from the keys of a file.
#include <string>

#include "lib/base/concat.h"
#include "lib/model/hparams_read.h"
#include "lib/model/limits.h"

namespace hearth {
namespace {

RopeScaling parse_scaling(KeyReader& keys, const std::string& type) {
  if (type == "none") return RopeScaling::kNone;
  if (type == "linear") return RopeScaling::kLinear;
  if (type == "yarn") return RopeScaling::kYarn;
  if (type == "longrope") return RopeScaling::kLongRope;
  keys.fail({ErrorCode::kUnsupported, concat(keys.name("rope.scaling.type"), ": unknown scaling \"", type, "\"")});
  return RopeScaling::kNone;
}

RopeParams read_rope(KeyReader& keys, const Architecture& arch, const HParams& hp, int k_dim) {
  RopeParams rope;
  rope.n_rot = static_cast<int>(keys.integer("rope.dimension_count", 2, kMaxHeadDim, k_dim));
  rope.base = keys.number("rope.freq_base", 1.0, 1e12, keys.number("rope.global.freq_base", 1.0, 1e12, 10000.0));
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
  rope.yarn_scales_scores = arch.yarn_scales_scores;
  return rope;
}

RopeParams read_local_rope(KeyReader& keys, const Architecture& arch, const RopeParams& global, int k_dim,
                           int k_local) {
  RopeParams local = global;
  if (k_local != k_dim) local.n_rot = k_local;
  local.n_rot = static_cast<int>(keys.integer("rope.dimension_count_swa", 2, kMaxHeadDim, local.n_rot));
  const double usual = arch.local_rope_base > 0 ? static_cast<double>(arch.local_rope_base) : global.base;
  local.base = keys.number("rope.freq_base_swa", 1.0, 1e12, keys.number("rope.local.freq_base", 1.0, 1e12, usual));
  if (!arch.local_rope_scaled) {
    local.scaling = RopeScaling::kNone;
    local.factor = 1.0;
    local.attn_factor = 1.0;
    local.use_factors = false;
  }
  return local;
}

/// attention.sliding_window_pattern: booleans (true: the layer slides) or an interval (its last layer sees all).
std::vector<bool> sliding_layers(KeyReader& keys, const Architecture& arch, int n_layers) {
  const auto n = static_cast<size_t>(n_layers);
  std::vector<bool> slides(n, false);
  if (arch.window == WindowPattern::kNone) return slides;
  int interval = arch.window_interval;
  if (const GgufValue* pattern = keys.find("attention.sliding_window_pattern")) {
    if (pattern->type() == GgufType::kArray) return keys.booleans("attention.sliding_window_pattern", n);
    interval = static_cast<int>(keys.integer("attention.sliding_window_pattern", 1, kMaxLayers, arch.window_interval));
  }
  if (interval > 0) {
    for (size_t i = 0; i < n; ++i) slides[i] = (i + 1) % static_cast<size_t>(interval) != 0;
  }
  return slides;
}

/// The last layers may use the cache of the last earlier layer of their kind (Gemma 3n and 4).
void share_caches(KeyReader& keys, HParams& hp) {
  const auto n_shared = static_cast<int>(keys.integer("attention.shared_kv_layers", 0, hp.n_layers - 1, 0));
  const int first = hp.n_layers - n_shared;
  for (int i = 0; i < hp.n_layers; ++i) {
    LayerShape& layer = hp.layers[static_cast<size_t>(i)];
    int source = i < first ? i : first - 1;
    while (source >= 0 && hp.layers[static_cast<size_t>(source)].window != layer.window) --source;
    if (source < 0 || !hp.layers[static_cast<size_t>(source)].same_kv(layer)) {
      return keys.fail(
          {ErrorCode::kFormat, concat(keys.name("attention.shared_kv_layers"),
                                      ": no earlier layer has keys and values ", "that layer ", i, " could use")});
    }
    layer.kv_layer = source;
  }
}

void check_ropes(KeyReader& keys, const HParams& hp) {
  for (const LayerShape& layer : hp.layers) {
    if (layer.rope < 0) continue;
    const int n_rot = hp.ropes[static_cast<size_t>(layer.rope)].n_rot;
    if (n_rot % 2 != 0 || n_rot > layer.k_dim) {
      keys.fail({ErrorCode::kFormat, concat(keys.name("rope.dimension_count"), ": ", n_rot,
                                            " is odd or larger than a head of ", layer.k_dim)});
    }
  }
}

}  // namespace

void read_layers(KeyReader& keys, const Architecture& arch, HParams& hp) {
  const auto heads = keys.per_layer("attention.head_count", hp.n_layers, 1, kMaxHeads);
  std::vector<int> kv_heads = heads;
  if (keys.has("attention.head_count_kv"))
    kv_heads = keys.per_layer("attention.head_count_kv", hp.n_layers, arch.recurrent ? 0 : 1, kMaxHeads);
  const bool all_experts = keys.has("expert_feed_forward_length");
  const auto d_ff = keys.per_layer("feed_forward_length", hp.n_layers, all_experts ? 0 : 1, kMaxWidth,
                                   all_experts ? std::optional<int64_t>(0) : std::nullopt);
  if (keys.error()) return;
  const int shared_dim = hp.d_model / heads[0];
  const auto k_dim = static_cast<int>(keys.integer("attention.key_length", 1, kMaxHeadDim, shared_dim));
  const auto v_dim = static_cast<int>(keys.integer("attention.value_length", 1, kMaxHeadDim, k_dim));
  const auto k_local = static_cast<int>(keys.integer("attention.key_length_swa", 1, kMaxHeadDim, k_dim));
  const auto v_local = static_cast<int>(keys.integer("attention.value_length_swa", 1, kMaxHeadDim, v_dim));
  const auto window = static_cast<int>(keys.integer("attention.sliding_window", 0, kMaxContext, arch.window_default));
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
    if (layer.n_kv_heads > 0 && layer.n_heads % layer.n_kv_heads != 0) {
      keys.fail({ErrorCode::kFormat, concat(keys.name("attention.head_count_kv"), ": ", layer.n_kv_heads,
                                            " does not divide ", layer.n_heads, " heads")});
    }
  }
  if (arch.assistant) {
    for (LayerShape& layer : hp.layers) layer.kv_layer = -1;
  } else {
    share_caches(keys, hp);
  }
  const RopeParams global = read_rope(keys, arch, hp, k_dim);
  hp.ropes = {global, read_local_rope(keys, arch, global, k_dim, k_local)};
  check_ropes(keys, hp);
}

}  // namespace hearth
