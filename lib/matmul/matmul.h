// Products of weight matrices with activations: y = x W^T. Splits rows over threads and picks the kernel path by
// the number of columns; knows nothing of layers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hearth/gguf.h"
#include "kernels/kernel_table.h"
#include "lib/base/parallel.h"

namespace hearth {

/// A weight matrix in the file's own bytes, [rows, cols] with rows contiguous (GGUF dims {cols, rows}).
struct Matrix {
  const std::byte* data = nullptr;
  kernels::TypeIndex type{};
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_bytes = 0;
  float scale = 1.0f;  ///< of all elements, beyond their blocks' own (files in NVFP4 have one)
  explicit operator bool() const { return rows > 0; }
};

/// Scratch memory of matmul for one session, sized before the first use.
class MatmulScratch {
 public:
  /// Bytes for products with up to max_tokens rows of up to max_cols elements on n_threads workers.
  static uint64_t bytes_needed(int64_t max_tokens, int64_t max_cols, int n_threads);
  /// `memory` is 64-byte aligned and bytes_needed() long; it is borrowed.
  void bind(std::byte* memory, int64_t max_tokens, int64_t max_cols, int n_threads);

 private:
  friend class MatmulPass;
  std::byte* memory_ = nullptr;
  int64_t max_tokens_ = 0;
  int64_t max_cols_ = 0;
  int n_threads_ = 0;
};

/// One product of a fused call: out[t * ldo + r] = sum_c x[t, c] w[r, c] (+ bias[r]).
struct Product {
  const Matrix* w = nullptr;
  float* out = nullptr;
  int64_t ldo = 0;              ///< floats between rows of out
  const float* bias = nullptr;  ///< [rows] or nullptr
};

struct MatmulContext {
  Parallel* parallel = nullptr;  ///< nullptr: the calling thread alone
  MatmulScratch* scratch = nullptr;
  bool batch_invariant = false;  ///< one kernel path for every number of tokens
  bool exact_products = false;   ///< integer codes are expanded to floats; activations are not quantised
  /// What the product that follows will read, or nullptr: at its own end each thread prefetches where it will begin
  /// there, so that memory does not rest during the stages between.
  std::array<const Matrix*, 3> following{};

  /// This context with other followers.
  MatmulContext before(std::array<const Matrix*, 3> matrices) const {
    MatmulContext context = *this;
    context.following = matrices;
    return context;
  }
};

/// Products of the same input x [n_tokens, cols] (row stride ldx floats) with one or several matrices of equal
/// cols, in one fork-join: x is quantised once. Rows of any type. Results do not depend on the thread count.
void matmul(const MatmulContext& ctx, const float* x, int64_t ldx, int64_t n_tokens, std::span<const Product> products);

/// Gated feed-forward input: out[t, r] = gate(x W_gate^T) * (x W_up^T), one fork-join, no second pass.
struct GatedProduct {
  const Matrix* gate = nullptr;
  const Matrix* up = nullptr;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  float* out = nullptr;  ///< [n_tokens, rows]
  int64_t ldo = 0;
  kernels::Gate kind{};
};
void matmul_gated(const MatmulContext& ctx, const float* x, int64_t ldx, int64_t n_tokens, const GatedProduct& product);

/// Products of a mixture of experts: `experts` holds n_experts matrices one after the other (GGUF dims {cols,
/// rows, n_experts}). Entry i computes out row i: out[i * ldo ..] = experts[expert[i]] x[row[i]].
/// Tokens are grouped by expert, so that each expert's weights are read once a call.
struct ExpertProduct {
  const Matrix* experts = nullptr;  ///< shape of one expert; data of expert 0
  int64_t expert_stride_bytes = 0;
  int n_experts = 0;
  const float* bias = nullptr;      ///< [n_experts, rows] or nullptr
  const int32_t* expert = nullptr;  ///< [n_entries]
  const int32_t* row = nullptr;     ///< [n_entries] row of x
  int64_t n_entries = 0;
  float* out = nullptr;
  int64_t ldo = 0;
  const float* scales = nullptr;  ///< [n_experts] as Matrix::scale, or nullptr
};
void matmul_experts(const MatmulContext& ctx, const float* x, int64_t ldx, int64_t n_tokens,
                    std::span<const ExpertProduct> products);

}  // namespace hearth
