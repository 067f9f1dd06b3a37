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

Product product_of(const Linear& w, float* out, int64_t ldo) {
  return {&w.w, out, ldo, w.bias()};
}
Product product_of(const ExpertLinear& w, float* out, int64_t ldo) {
  return {&w.w, out, ldo, w.bias(), {}, w.stride_bytes, w.scales(), w.parts_or_null()};
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

/// The product of a gate and what it is applied to, which both exist.
template <typename AnyGated>
GatedProduct gated_product(const ForwardContext& c, const Activations& x, const AnyGated& output,
                           const Routing* routing) {
  observe(c, *output.gate, x, routing);
  observe(c, *output.up, x, routing);
  GatedProduct product{product_of(*output.gate, nullptr, 0), product_of(*output.up, output.out, output.ldo),
                       c.arch->gate};
  if (c.adapters != nullptr && x.n > 0) {
    const LinearRef layers[] = {ref_of(*output.gate), ref_of(*output.up)};
    c.adapters->project(c.matmul, x, layers, routing);
    product.gate.updates = c.adapters->updates(0);
    product.up.updates = c.adapters->updates(1);
  }
  return product;
}

Product expert_product(const ForwardContext& c, const Activations& x, const Routing& routing,
                       const ExpertOutput& output) {
  const ExpertLinear& w = *output.linear;
  observe(c, w, x, &routing);
  Product product = product_of(w, output.out, output.ldo);
  if (c.adapters != nullptr && !routing.expert.empty()) {
    const LinearRef layer = ref_of(w);
    c.adapters->project(c.matmul, x, {&layer, 1}, &routing);
    product.updates = c.adapters->updates(0);
  }
  return product;
}

/// Of rows that have no gate of their own.
void gate_rows(const ForwardContext& c, float* out, int64_t ldo, int64_t n, int64_t width) {
  for_rows(c, static_cast<int>(n), width, [&](int t) {
    float* row = out + t * ldo;
    kernels::kernels().gate_mul(row, row, nullptr, width, c.arch->gate);
  });
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
    products[n++] = product_of(w, output.out, output.ldo);
  }
  multiply(c, x, {products, n}, {layers, n}, following);
}

bool takes_wide_rows(const ForwardContext& c, const Linear& w, int64_t n) {
  return c.adapters == nullptr && c.observe_linear == nullptr && takes_wide_rows(c.matmul, w.w, n);
}

void gated_linear(const ForwardContext& c, const Activations& x, const GatedOutput& output, const NextLinears& next) {
  if (!*output.gate) {
    linear(c, x, {{output.up, output.out, output.ldo}}, next);
    return gate_rows(c, output.out, output.ldo, x.n, output.up->w.rows);
  }
  GatedProduct product = gated_product(c, x, output, nullptr);
  product.wide = output.wide;
  matmul_gated(c.matmul, x, product, matrices_of(next));
}

void expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing, const ExpertOutput& output,
                   const NextLinears& next) {
  const Product product = expert_product(c, x, routing, output);
  matmul_experts(c.matmul, x, routing, {&product, 1}, matrices_of(next));
}

void expert_sum_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                       const ExpertOutput& output, const EntryWeights& weights, const NextLinears& next) {
  matmul_expert_sums(c.matmul, x, routing, expert_product(c, x, routing, output), weights, matrices_of(next));
}

void gated_expert_linear(const ForwardContext& c, const Activations& x, const Routing& routing,
                         const GatedExpertOutput& output) {
  if (!output.gate->w) {
    expert_linear(c, x, routing, {output.up, output.out, output.ldo});
    return gate_rows(c, output.out, output.ldo, static_cast<int64_t>(routing.expert.size()), output.up->w.rows);
  }
  matmul_gated_experts(c.matmul, x, routing, gated_product(c, x, output, &routing));
}

}  // namespace hearth
