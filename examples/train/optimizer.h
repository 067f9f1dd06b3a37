// AdamW with gradient clipping (Loshchilov and Hutter 2019), and the schedule of its rate.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/train/parameters.h"

namespace train {

struct OptimizerOptions {
  double rate = 1.5e-3;       ///< at the end of the warm-up
  double final_share = 0.03;  ///< of the rate, at the last step
  int64_t warmup = 200;       ///< steps
  int64_t steps = 6000;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double decay = 0.1;  ///< of matrices; norms are left alone
  double clip = 1.0;   ///< largest norm of the gradient
};

/// Linear warm-up, then a half cosine. `step` counts from 0.
double rate_at(const OptimizerOptions& options, int64_t step);

class AdamW {
 public:
  AdamW(const Layout& layout, const OptimizerOptions& options);

  /// Updates the parameters; the gradient is scaled in place. Returns the gradient's norm before clipping.
  double step(Floats& parameters, Floats& gradient, int64_t step);

  Floats& first_moments() { return m_; }
  Floats& second_moments() { return v_; }

 private:
  Layout layout_;
  OptimizerOptions options_;
  Floats m_, v_;
};

}  // namespace train
