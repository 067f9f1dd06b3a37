// Products of weight matrices with activations: y = x W^T. Splits rows over threads and picks the kernel path by
// the number of tokens; knows nothing of layers.
//
// n is the number of tokens (rows of x), k the length of a row of x and of W.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "kernels/kernel_table.h"
#include "lib/base/buffer.h"
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

/// Scratch memory of matmul for one session, sized before the first use. A product that it is too small for is left
/// out, and remembered: whoever started the computation asks for it at the end.
class MatmulScratch {
 public:
  /// Bytes for products with up to max_tokens rows of up to max_k elements on n_threads workers.
  static uint64_t bytes_needed(int64_t max_tokens, int64_t max_k, int n_threads);
  /// `memory` is 64-byte aligned and bytes_needed() long; it is borrowed.
  void bind(std::byte* memory, int64_t max_tokens, int64_t max_k, int n_threads);

  /// Whether there is room for rows of k elements on n_threads workers; when not, take_status() will say so.
  bool fits(int64_t k, int n_threads);
  /// kLimit names the first product that did not fit since the last call.
  Status take_status();

 private:
  friend class MatmulPass;
  /// Where the parts lie; all of one worker's follow the same distance after those of the worker before.
  struct Parts {
    std::byte* tokens = nullptr;
    std::byte* segments = nullptr;
    std::byte* groups = nullptr;
    std::byte* acts = nullptr;
    std::byte* panel = nullptr;         ///< of worker 0
    std::byte* wide_panel = nullptr;    ///< of worker 0
    std::byte* accumulators = nullptr;  ///< of worker 0, one after the other
    int64_t accumulator_bytes = 0;
    int64_t worker_bytes = 0;  ///< from one worker's parts to the next one's
  };
  static Parts lay_out(Layout& layout, int64_t max_tokens, int64_t max_k, int n_threads);

  Parts parts_;
  int64_t max_tokens_ = 0;
  int64_t max_k_ = 0;
  int n_threads_ = 0;
  int64_t too_wide_ = 0;  ///< elements of the first row that did not fit; 0: none
};

/// Input of a product: n tokens, each a row of k elements; row t at x + t * ld.
struct Activations {
  const float* x = nullptr;
  int64_t ld = 0;
  int64_t n = 0;
  void* wide = nullptr;  ///< where given, x is not read: rows are here as kernels::WideActs has them
};

/// Matrices that the next product will read, or nullptr: at the end of its share each thread prefetches where it will
/// begin there, which keeps memory busy during the stages between.
using Following = std::array<const Matrix*, 3>;

/// What an adapter adds to the rows of a product: out[t] += B low[t].
struct LowRankUpdate {
  Matrix b;  ///< [rows of the product, rank], of expert 0; any type, multiplied in floats
  int64_t expert_stride_bytes = 0;
  const float* low = nullptr;       ///< [rows of out, rank]
  const int32_t* chosen = nullptr;  ///< [rows of out] negative: that row gets nothing; nullptr: all rows get something
};

/// One product of a fused call: out[t * ldo + r] = sum_i x[t, i] w[r, i] (+ bias[r]).
struct Product {
  const Matrix* w = nullptr;  ///< of experts: the shape of one, and data of expert 0
  float* out = nullptr;
  int64_t ldo = 0;              ///< floats between rows of out
  const float* bias = nullptr;  ///< [rows] or nullptr; of experts [n_experts, rows]
  std::span<const LowRankUpdate> updates{};

  // Of experts, matrices that follow one another (GGUF dims {cols, rows, n_experts}).
  int64_t expert_stride_bytes = 0;
  const float* scales = nullptr;            ///< [n_experts] as Matrix::scale, or nullptr
  const std::byte* const* parts = nullptr;  ///< [n_experts] data of each, where they do not follow one another
};

struct MatmulContext {
  Parallel* parallel = nullptr;
  MatmulScratch* scratch = nullptr;
  bool batch_invariant = false;  ///< one kernel path for every number of tokens
  bool exact_products = false;   ///< integer codes are expanded to floats; activations are not quantized
};

/// Products of the same input with one or several matrices of equal k, in one fork-join: x is quantized once. Rows of
/// any type. Results do not depend on the thread count. Products that scratch memory is too small for are left out.
void matmul(const MatmulContext& ctx, const Activations& x, std::span<const Product> products,
            const Following& following = {});

/// Gated feed-forward input: up.out = gate(x W_gate^T) * (x W_up^T), one fork-join, no second pass.
struct GatedProduct {
  Product gate;  ///< has no output of its own
  Product up;
  kernels::Gate kind{};
  void* wide =
      nullptr;  ///< where given, results go here instead of up.out: as kernels::WideActs for a product with them
};
void matmul_gated(const MatmulContext& ctx, const Activations& x, const GatedProduct& product,
                  const Following& following = {});

/// Whether n rows may come to a product with w as kernels::WideActs, which saves their way through memory as floats.
bool takes_wide_rows(const MatmulContext& ctx, const Matrix& w, int64_t n);

/// Which expert an entry visits with which row of the input.
struct Routing {
  std::span<const int32_t> expert;  ///< [n_entries]
  std::span<const int32_t> row;     ///< [n_entries] of x
  int n_experts = 0;
  std::span<const int32_t> order{};  ///< [n_entries] entries by expert, ascending; empty: they are looked for
};

/// Products of the same input with experts of equal k: entry i computes row i, out[i * ldo ..] = expert[i] x[row[i]];
/// those of a negative expert are left out. Entries are grouped by expert, so that each expert's weights are read once
/// per call.
void matmul_experts(const MatmulContext& ctx, const Activations& x, const Routing& routing,
                    std::span<const Product> products, const Following& following = {});
void matmul_gated_experts(const MatmulContext& ctx, const Activations& x, const Routing& routing,
                          const GatedProduct& product);

/// How much the entries of an output row count, which are `per_row` neighbors.
struct EntryWeights {
  const float* weight = nullptr;  ///< [n_entries]
  uint32_t per_row = 1;
};
/// out[i / per_row] += weight[i] * (expert[i] x[row[i]]), added up in the order of the experts' numbers while they are
/// in the cache. Threads share the rows of the matrix alone, of which there should be 32 for each, and better more.
void matmul_expert_sums(const MatmulContext& ctx, const Activations& x, const Routing& routing, const Product& product,
                        const EntryWeights& weights, const Following& following = {});

}  // namespace hearth
