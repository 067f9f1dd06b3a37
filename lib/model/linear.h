// Linear layers: the only place where a weight matrix meets activations. What has to see or change every such product
// (traces, importance matrices, adapters) stands here; stages say which layers, lib/matmul how they are multiplied.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

#include "lib/matmul/matmul.h"
#include "lib/model/weights.h"

namespace hearth {

struct ForwardContext;

/// One meeting of weights and activations.
struct LinearCall {
  std::string_view name;  ///< of the tensor, as in the file; valid as long as the model
  int64_t first_row = 0;  ///< where the layer is a part of a tensor (fused q, k and v): the first of its rows
  int64_t k = 0;          ///< elements of a row of x
  Activations x;
  const Routing* routing = nullptr;  ///< of experts; nullptr: every row of x meets the matrix
};

/// Called on the thread of decode() before a layer is computed, once for each layer of a call.
using LinearObserver = std::function<void(const LinearCall&)>;

/// Layers whose weights are read next: each thread prefetches where it will begin there.
using NextLinears = std::array<const Linear*, 3>;

/// out[t * ldo + r] = sum_k x[t, k] w[r, k] + b[r].
struct LinearOutput {
  const Linear* linear = nullptr;
  float* out = nullptr;
  int64_t ldo = 0;  ///< floats between rows of out
};
/// Layers with the same input, in one fork-join: x is quantized once. Those that the model does not have are skipped.
void linear(const ForwardContext& c, const Activations& x, std::initializer_list<LinearOutput> outputs,
            const NextLinears& next = {});

/// out[t] = gate(x[t] W_gate) * (x[t] W_up), or gate(x[t] W_up) where the model has no such gate.
struct GatedOutput {
  const Linear* gate = nullptr;
  const Linear* up = nullptr;
  float* out = nullptr;
  int64_t ldo = 0;
  void* wide = nullptr;  ///< as GatedProduct has it; with a gate
};
/// Whether nothing but the matrix product will read n rows that w meets, and it takes them as kernels::WideActs.
bool takes_wide_rows(const ForwardContext& c, const Linear& w, int64_t n);
void gated_linear(const ForwardContext& c, const Activations& x, const GatedOutput& output,
                  const NextLinears& next = {});

/// out[i * ldo + r] = row r of expert[i] times x[row[i]], plus its bias: row i of out belongs to entry i.
struct ExpertOutput {
  const ExpertLinear* linear = nullptr;
  float* out = nullptr;
  int64_t ldo = 0;
};
void expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing, const ExpertOutput& output,
                   const NextLinears& next = {});

/// out[i / per_row] += weight[i] * (row i of the above): see matmul_expert_sums().
void expert_sum_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                       const ExpertOutput& output, const EntryWeights& weights, const NextLinears& next = {});

/// Rows of gate(expert_gate x) * (expert_up x), or gate(expert_up x) where the model has no such gate.
struct GatedExpertOutput {
  const ExpertLinear* gate = nullptr;
  const ExpertLinear* up = nullptr;
  float* out = nullptr;
  int64_t ldo = 0;
};
void gated_expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                         const GatedExpertOutput& output);

}  // namespace hearth
