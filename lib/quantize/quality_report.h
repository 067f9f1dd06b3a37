// What scored tokens come to: means, their errors, percentiles.
#pragma once

#include <vector>

#include "hearth/quality.h"

namespace hearth {

struct ScoredToken {
  double nll = 0;
  double base_nll = 0;
  double kld = 0;
  double dp = 0;
  bool same_top = false;
};

/// `percentiles`: sorts, which only the last report needs. Divergence when `has_base`.
PerplexityReport report_on(const std::vector<ScoredToken>& tokens, bool has_base, bool percentiles);

}  // namespace hearth
