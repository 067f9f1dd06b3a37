// Overrides of a file's rotary embedding.
#include "lib/session/rope_options.h"

namespace hearth {

RopeParams with_options(RopeParams p, const RopeOptions& o) {
  if (o.freq_base > 0) p.base = double{o.freq_base};
  if (o.freq_scale > 0) p.factor = 1.0 / double{o.freq_scale};
  if (o.yarn_orig_ctx > 0) p.n_ctx_original = o.yarn_orig_ctx;
  if (o.yarn_beta_fast > 0) p.beta_fast = double{o.yarn_beta_fast};
  if (o.yarn_beta_slow > 0) p.beta_slow = double{o.yarn_beta_slow};
  if (o.scaling == RopeScalingType::kNone) {
    p.scaling = RopeScaling::kNone;
    p.factor = 1.0;
  }
  if (o.scaling == RopeScalingType::kLinear) p.scaling = RopeScaling::kLinear;
  if (o.scaling == RopeScalingType::kYarn) p.scaling = RopeScaling::kYarn;
  if (o.scaling == RopeScalingType::kModel && o.freq_scale > 0 && p.scaling == RopeScaling::kNone) {
    p.scaling = RopeScaling::kLinear;
  }
  if (o.yarn_ext_factor >= 0) p.yarn_ext = double{o.yarn_ext_factor};
  if (p.scaling != RopeScaling::kYarn || p.yarn_ext == 0) p.attn_factor *= double{o.yarn_attn_factor};
  return p;
}

RopeOptions local_options(const RopeOptions& options) {
  RopeOptions local;
  if (options.scaling == RopeScalingType::kNone) local.yarn_ext_factor = 0;
  return local;
}

}  // namespace hearth
