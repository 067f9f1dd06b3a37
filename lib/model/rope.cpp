// Frequencies of rotary embeddings: plain, linear, YaRN, and per-pair factors (Llama 3, LongRoPE).
#include "lib/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hearth {
namespace {

/// Pair whose wavelength makes `rotations` turns over the original context (YaRN, equation 17).
double correction_dim(const RopeParams& p, double rotations) {
  const auto n_ctx = static_cast<double>(p.n_ctx_original);
  return p.n_rot * std::log(n_ctx / (rotations * 2 * std::numbers::pi)) / (2 * std::log(p.base));
}

/// 1: this pair keeps its frequency; 0: it is interpolated (YaRN, equation 18).
double extrapolation_share(const RopeParams& p, int pair) {
  const double low = std::max(0.0, std::floor(correction_dim(p, p.beta_fast)));
  const double high = std::min(p.n_rot - 1.0, std::ceil(correction_dim(p, p.beta_slow)));
  const double ramp = (pair - low) / std::max(0.001, high - low);
  return 1.0 - std::clamp(ramp, 0.0, 1.0);
}

/// Temperature of YaRN (equation 22): 1 + 0.1 m ln(factor).
double mscale(const RopeParams& p, double m) {
  return p.factor > 1 ? 1.0 + 0.1 * m * std::log(p.factor) : 1.0;
}

/// Factor on cos and sin. DeepSeek's multiplier is stored as 0.1 m, and what it asks for goes into the scores.
double yarn_magnitude(const RopeParams& p) {
  if (p.yarn_scales_scores && p.yarn_log_multiplier != 0) return 1.0;
  return mscale(p, 1.0) / mscale(p, p.yarn_log_multiplier);
}

const FloatArray& pair_factors(const RopeParams& p, const Weights& weights, int64_t n_ctx) {
  static const FloatArray kNone;
  if (!p.use_factors) return kNone;
  if (!weights.rope_factors_long.empty() && !weights.rope_factors_short.empty()) {
    return n_ctx > p.n_ctx_original ? weights.rope_factors_long : weights.rope_factors_short;
  }
  return weights.rope_factors;
}

}  // namespace

RopeTable make_rope_table(const RopeParams& p, const Weights& weights, int64_t n_ctx) {
  const FloatArray& factors = pair_factors(p, weights, n_ctx);
  RopeTable table;
  table.n_rot = p.n_rot;
  table.frequency.resize(static_cast<size_t>(p.n_rot / 2));
  for (int i = 0; i < p.n_rot / 2; ++i) {
    const auto at = static_cast<size_t>(i);
    double frequency = std::pow(p.base, -2.0 * i / p.n_rot);
    if (at < factors.size()) frequency /= factors[at];
    if (p.scaling == RopeScaling::kLinear) frequency /= p.factor;
    if (p.scaling == RopeScaling::kYarn) {
      const double keep = p.yarn_ext * extrapolation_share(p, i);
      frequency *= keep + (1.0 - keep) / p.factor;
    }
    table.frequency[at] = frequency;
  }
  double magnitude = p.attn_factor;
  if (p.scaling == RopeScaling::kYarn && p.yarn_ext != 0) magnitude *= yarn_magnitude(p);
  table.magnitude = static_cast<float>(magnitude);
  return table;
}

double yarn_score_temperature(const RopeParams& p) {
  if (!p.yarn_scales_scores || p.scaling != RopeScaling::kYarn) return 1.0;
  const double m = p.yarn_log_multiplier != 0 ? 10.0 * p.yarn_log_multiplier : 1.0;
  return p.attn_factor * mscale(p, m);
}

void rope_cos_sin(float* cs, const RopeTable& table, std::span<const int32_t> positions) {
  for (const int32_t pos : positions) {
    for (const double frequency : table.frequency) {
      const double angle = pos * frequency;
      *cs++ = static_cast<float>(std::cos(angle)) * table.magnitude;
      *cs++ = static_cast<float>(std::sin(angle)) * table.magnitude;
    }
  }
}

}  // namespace hearth
