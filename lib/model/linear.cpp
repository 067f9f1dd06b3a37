// Hands linear layers to the matrix product, after the observer has seen them and with what adapters add to them.
#include "lib/model/linear.h"

#include <utility>

#include "lib/model/forward.h"

namespace hearth {
namespace {

constexpr size_t kMostOutputs = kMostLinears;  // of one fork-join

template <typename AnyLinear>
void observe(const ForwardContext& c, const AnyLinear& w, const Activations& x, const Routing* routing = nullptr) {
  if (c.observe_linear != nullptr) (*c.observe_linear)({w.name, w.first_row, w.w.cols, x, routing});
}

Following matrices_of(const NextLinears& next) {
  Following matrices{};
  for (size_t i = 0; i < next.size(); ++i) matrices[i] = next[i] != nullptr ? &next[i]->w : nullptr;
  return matrices;
}

template <typename AnyLinear>
LinearRef ref_of(const AnyLinear& w) {
  return {w.name, w.first_row, w.w.rows};
}

/// Products, with what adapters add to them.
void multiply(const ForwardContext& c, const Activations& x, std::span<Product> products,
              std::span<const LinearRef> layers, const Following& following) {
  if (c.adapters != nullptr) {
    c.adapters->project(c.matmul, x, layers, nullptr);
    for (size_t i = 0; i < products.size(); ++i) products[i].updates = c.adapters->updates(i);
  }
  matmul(c.matmul, x, products, following);
}

void multiply(const ForwardContext& c, const Activations& x, const Routing& routing, std::span<ExpertProduct> products,
              std::span<const LinearRef> layers) {
  if (c.adapters != nullptr && !routing.expert.empty()) {
    c.adapters->project(c.matmul, x, layers, &routing);
    for (size_t i = 0; i < products.size(); ++i) products[i].updates = c.adapters->updates(i);
  }
  matmul_experts(c.matmul, x, routing, products);
}

}  // namespace

void linear(const ForwardContext& c, const Activations& x, std::initializer_list<LinearOutput> outputs,
            const NextLinears& next) {
  const Following following = matrices_of(next);
  Product products[kMostOutputs];
  LinearRef layers[kMostOutputs];
  size_t n = 0;
  for (const LinearOutput& output : outputs) {
    const Linear& w = *output.linear;
    if (!w) continue;
    observe(c, w, x);
    if (n == kMostOutputs) multiply(c, x, {products, std::exchange(n, 0)}, {layers, kMostOutputs}, {});
    layers[n] = ref_of(w);
    products[n++] = {&w.w, output.out, output.ldo, w.bias()};
  }
  multiply(c, x, {products, n}, {layers, n}, following);
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
  GatedProduct product{&gate.w, &up.w, gate.bias(), up.bias(), output.out, output.ldo, c.arch->gate};
  if (c.adapters != nullptr) {
    const LinearRef layers[] = {ref_of(gate), ref_of(up)};
    c.adapters->project(c.matmul, x, layers, nullptr);
    product.gate_updates = c.adapters->updates(0);
    product.up_updates = c.adapters->updates(1);
  }
  matmul_gated(c.matmul, x, product, matrices_of(next));
}

void expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                   std::initializer_list<ExpertOutput> outputs) {
  ExpertProduct products[kMostOutputs];
  LinearRef layers[kMostOutputs];
  size_t n = 0;
  for (const ExpertOutput& output : outputs) {
    const ExpertLinear& w = *output.linear;
    if (!w.w) continue;
    observe(c, w, x, &routing);
    if (n == kMostOutputs) multiply(c, x, routing, {products, std::exchange(n, 0)}, {layers, kMostOutputs});
    layers[n] = ref_of(w);
    products[n++] = {&w.w, w.stride_bytes, w.bias(), output.out, output.ldo, w.scales(), w.parts_or_null()};
  }
  multiply(c, x, routing, {products, n}, {layers, n});
}

}  // namespace hearth
