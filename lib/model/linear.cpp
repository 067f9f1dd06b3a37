// Hands linear layers to the matrix product, after the observer has seen them.
#include "lib/model/linear.h"

#include <utility>

#include "lib/model/forward.h"

namespace hearth {
namespace {

constexpr size_t kMostOutputs = 8;  // of one fork-join

template <typename AnyLinear>
void observe(const ForwardContext& c, const AnyLinear& w, const Activations& x, const Routing* routing = nullptr) {
  if (c.observe_linear != nullptr) (*c.observe_linear)({w.name, w.first_row, w.w.cols, x, routing});
}

Following matrices_of(const NextLinears& next) {
  Following matrices{};
  for (size_t i = 0; i < next.size(); ++i) matrices[i] = next[i] != nullptr ? &next[i]->w : nullptr;
  return matrices;
}

}  // namespace

void linear(const ForwardContext& c, const Activations& x, std::initializer_list<LinearOutput> outputs,
            const NextLinears& next) {
  const Following following = matrices_of(next);
  Product products[kMostOutputs];
  size_t n = 0;
  for (const LinearOutput& output : outputs) {
    const Linear& w = *output.linear;
    if (!w) continue;
    observe(c, w, x);
    if (n == kMostOutputs) matmul(c.matmul, x, {products, std::exchange(n, 0)});
    products[n++] = {&w.w, output.out, output.ldo, w.bias()};
  }
  matmul(c.matmul, x, {products, n}, following);
}

void gated_linear(const ForwardContext& c, const Activations& x, const GatedOutput& output, const NextLinears& next) {
  const Linear &gate = *output.gate, &up = *output.up;
  if (!gate) {
    linear(c, x, {{&up, output.out, output.ldo}}, next);
    return for_rows(c, static_cast<int>(x.n), up.w.rows, [&](int t) {
      float* row = output.out + t * output.ldo;
      kernels::kernels().gate_mul(row, row, nullptr, up.w.rows, c.arch->gate);
    });
  }
  observe(c, gate, x);
  observe(c, up, x);
  matmul_gated(c.matmul, x, {&gate.w, &up.w, gate.bias(), up.bias(), output.out, output.ldo, c.arch->gate},
               matrices_of(next));
}

void expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                   std::initializer_list<ExpertOutput> outputs) {
  ExpertProduct products[kMostOutputs];
  size_t n = 0;
  for (const ExpertOutput& output : outputs) {
    const ExpertLinear& w = *output.linear;
    if (!w.w) continue;
    observe(c, w, x, &routing);
    if (n == kMostOutputs) matmul_experts(c.matmul, x, routing, {products, std::exchange(n, 0)});
    products[n++] = {&w.w, w.stride_bytes, w.bias(), output.out, output.ldo, w.scales(), w.parts_or_null()};
  }
  matmul_experts(c.matmul, x, routing, {products, n});
}

}  // namespace hearth
