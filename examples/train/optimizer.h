// The updates, with gradient clipping and the schedule of the rates: Muon for the matrices inside the layers, AdamW for
// the embedding and the norms, or AdamW for all.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/train/parameters.h"

namespace train {

struct OptimizerOptions {
  double rate = 1.5e-3;       ///< of AdamW, at the end of the warm-up
  double matrix_rate = 3e-3;  ///< of Muon; 0: AdamW for all
  double final_share = 0.03;  ///< of the rates, at the last step
  int64_t warmup = 100;       ///< steps
  int64_t steps = 6000;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double momentum = 0.95;  ///< of Muon
  double decay = 0.1;      ///< of matrices; norms are left alone
  double clip = 1.0;       ///< largest norm of the gradient
};

/// What a rate is multiplied by: linear warm-up, then a half cosine. `step` counts from 0.
double rate_share(const OptimizerOptions& options, int64_t step);

class Optimizer {
 public:
  Optimizer(const Layout& layout, const OptimizerOptions& options);

  /// Updates the parameters; the gradient is overwritten. Returns the gradient's norm before clipping. The result does
  /// not depend on the number of threads: a tensor is updated by one.
  double step(Floats& parameters, Floats& gradient, int64_t step, int n_threads);

  Floats& first_moments() { return m_; }
  Floats& second_moments() { return v_; }

 private:
  bool is_muon(const Tensor& tensor) const;
  void adamw(const Tensor& tensor, float* parameters, const float* gradient, int64_t step);
  void muon(const Tensor& tensor, float* parameters, float* gradient, int64_t step);

  Layout layout_;
  OptimizerOptions options_;
  Floats m_, v_;
};

}  // namespace train
