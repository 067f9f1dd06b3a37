// Low-rank products of adapters: A x of the rows that use them, scaled; B follows in the tiles of the layer's product.
#include "lib/model/adapter_pass.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "lib/model/forward.h"

namespace hearth {
namespace {

/// Tokens that one task multiplies with A, which has few rows: threads share the tokens out instead.
constexpr int64_t kTokensATask = 48;

}  // namespace

void AdapterPass::lay_out(Layout& layout, const AdapterSizes& sizes) {
  constexpr int64_t kMostRouted = 2;  // gate and up
  const auto n = static_cast<size_t>(sizes.n_adapters);
  sizes_ = sizes;
  active_.assign(n, {});
  updates_.reserve(n * kMostLinears);
  projections_.reserve(n * kMostLinears);
  for (ActiveAdapter& a : active_) {
    a.scale = layout.take<float>(sizes.n_batch);
    a.chosen = layout.take<int32_t>(sizes.n_batch);
    a.experts = layout.take<int32_t>(sizes.n_routed);
  }
  row_ = layout.take<int32_t>(sizes.n_batch);
  low_size_ = std::max(sizes.n_batch * int64_t{kMostLinears}, sizes.n_routed * kMostRouted) * sizes.sum_of_ranks;
  low_ = layout.take<float>(low_size_);
}

void AdapterPass::count_chosen(ActiveAdapter& a) const {
  a.n_chosen = 0;
  for (int t = 0; t < n_rows_; ++t) {
    a.chosen[t] = a.scale[t] != 0.0f ? 0 : -1;
    a.n_chosen += a.scale[t] != 0.0f ? 1 : 0;
  }
}

bool AdapterPass::begin(int n) {
  n_rows_ = n;
  std::iota(row_, row_ + n, 0);
  int n_chosen = 0;
  for (ActiveAdapter& a : active_) {
    count_chosen(a);
    n_chosen += a.n_chosen;
  }
  return n_chosen > 0;
}

void AdapterPass::keep(std::span<const int32_t> rows) {
  if (static_cast<int>(rows.size()) == n_rows_) return;
  n_rows_ = static_cast<int>(rows.size());
  for (ActiveAdapter& a : active_) {
    for (size_t i = 0; i < rows.size(); ++i) a.scale[i] = a.scale[rows[i]];
    count_chosen(a);
  }
}

float* AdapterPass::take_low(int64_t n_rows, int64_t rank) {
  if (n_rows * rank > low_size_ - low_used_) {
    overflowed_ = true;
    return nullptr;
  }
  return low_ + std::exchange(low_used_, low_used_ + n_rows * rank);
}

Status AdapterPass::take_status() {
  if (!std::exchange(overflowed_, false)) return {};
  return Error{ErrorCode::kLimit, "the products of adapters do not fit scratch memory"};
}

/// Row i of a routed layer belongs to the same token as its neighbors, an equal number a token.
void AdapterPass::scale_low(float* low, int64_t n_rows, int64_t rank, const ActiveAdapter& a, float strength) const {
  const int64_t per_token = n_rows / n_rows_;
  for (int64_t i = 0; i < n_rows; ++i) {
    const float scale = a.scale[i / per_token] * strength;
    if (scale != 0.0f) kernels::kernels().scale(low + i * rank, scale, rank);
  }
}

// --- layers ----------------------------------------------------------------------------------------------------------

void AdapterPass::choose_experts(const Routing& routing) {
  const auto n = static_cast<int64_t>(routing.expert.size());
  const int64_t per_token = n / n_rows_;
  for (ActiveAdapter& a : active_) {
    for (int64_t i = 0; i < n && a.n_chosen > 0; ++i) {
      a.experts[i] = a.chosen[i / per_token] < 0 ? -1 : routing.expert[static_cast<size_t>(i)];
    }
  }
}

/// Where A x of a pair goes: layers that are parts of one tensor share it.
float* AdapterPass::low_of(const LowRankPair& pair, size_t adapter, int64_t n_rows) {
  for (const Projection& p : projections_) {
    if (p.pair == &pair) return p.low;
  }
  float* low = take_low(n_rows, pair.rank());
  if (low != nullptr) projections_.push_back({&pair, adapter, low});
  return low;
}

void AdapterPass::add_updates(const LinearRef& layer, const Routing* routing, int64_t n_rows) {
  for (size_t i = 0; i < active_.size(); ++i) {
    const ActiveAdapter& a = active_[i];
    const LowRankPair* pair = is_used(i) ? a.adapter->find(layer.name) : nullptr;
    if (pair == nullptr) continue;
    const float* low = low_of(*pair, i, n_rows);
    if (low == nullptr) continue;
    Matrix b = pair->b;
    b.data += layer.first_row * b.row_bytes;
    b.rows = layer.n_rows;
    const bool all = a.n_chosen == n_rows_;
    updates_.push_back({b, pair->b_stride_bytes(), low, all ? nullptr : routing ? a.experts : a.chosen});
  }
}

/// Of a layer that is not routed: groups of neighboring rows, as if each had an expert of its own. How many.
int AdapterPass::choose_groups(ActiveAdapter& a) const {
  const int64_t n_groups = (n_rows_ + kTokensATask - 1) / kTokensATask;
  for (int64_t t = 0; t < n_rows_; ++t)
    a.experts[t] = a.chosen[t] < 0 ? -1 : static_cast<int32_t>(t * n_groups / n_rows_);
  return static_cast<int>(n_groups);
}

/// A x of one adapter, for the rows that use it.
void AdapterPass::multiply(const MatmulContext& ctx, const Activations& x, size_t adapter, const Routing* routing) {
  ActiveAdapter& a = active_[adapter];
  Product products[kMostLinears];
  size_t n = 0;
  for (const Projection& p : projections_) {
    if (p.adapter != adapter) continue;
    products[n].w = &p.pair->a;
    products[n].expert_stride_bytes = p.pair->a_stride_bytes();
    products[n].out = p.low;
    products[n++].ldo = p.pair->rank();
  }
  const auto n_rows = static_cast<size_t>(routing != nullptr ? static_cast<int64_t>(routing->expert.size()) : x.n);
  const int n_experts = routing != nullptr ? routing->n_experts : choose_groups(a);
  const std::span<const int32_t> row = routing != nullptr ? routing->row : std::span<const int32_t>(row_, n_rows);
  const std::span<const int32_t> order = routing != nullptr ? routing->order : std::span<const int32_t>();
  matmul_experts(ctx, x, {{a.experts, n_rows}, row, n_experts, order}, {products, n});
  for (const Projection& p : projections_) {
    if (p.adapter == adapter) scale_low(p.low, static_cast<int64_t>(n_rows), p.pair->rank(), a, p.pair->strength);
  }
}

void AdapterPass::project(const MatmulContext& ctx, const Activations& x, std::span<const LinearRef> layers,
                          const Routing* routing) {
  low_used_ = 0;
  updates_.clear();
  projections_.clear();
  const int64_t n_rows = routing != nullptr ? static_cast<int64_t>(routing->expert.size()) : x.n;
  for (size_t i = 0; i < layers.size(); ++i) {
    first_[i] = updates_.size();
    add_updates(layers[i], routing, n_rows);
  }
  first_[layers.size()] = updates_.size();
  if (projections_.empty()) return;
  if (routing != nullptr) choose_experts(*routing);
  for (size_t i = 0; i < active_.size(); ++i) {
    const bool has_some =
        std::any_of(projections_.begin(), projections_.end(), [&](const Projection& p) { return p.adapter == i; });
    if (has_some) multiply(ctx, x, i, routing);
  }
}

// --- the embedding, and directions of control vectors ----------------------------------------------------------------

void AdapterPass::embed(const ForwardContext& c, std::span<const BatchToken> batch) {
  const auto n = static_cast<int64_t>(batch.size());
  const int64_t d = c.hp->d_model;
  for (const ActiveAdapter& a : active_) {
    if (a.n_chosen == 0 || !a.adapter->embedding) continue;
    const LowRankPair& pair = *a.adapter->embedding;
    low_used_ = 0;
    float* low = take_low(n, pair.rank());
    if (low == nullptr) return;
    const auto dequantize = kernels::kernels().types[static_cast<int>(pair.a.type)].dequantize;
    for (int64_t t = 0; t < n; ++t) {
      const int64_t id = batch[static_cast<size_t>(t)].id;
      dequantize(low + t * pair.rank(), pair.a.data + id * pair.a.row_bytes, pair.rank());
    }
    scale_low(low, n, pair.rank(), a, pair.strength * c.hp->embedding_scale);
    const Product product{&pair.b, c.scratch->y, d};
    matmul(c.matmul, {low, pair.rank(), n}, {&product, 1});
    for_rows(c, static_cast<int>(n), d, [&](int t) {
      if (a.chosen[t] >= 0) kernels::kernels().add(c.scratch->x + t * d, c.scratch->y + t * d, d);
    });
  }
}

bool AdapterPass::steers(int layer) const {
  return std::any_of(active_.begin(), active_.end(), [&](const ActiveAdapter& a) {
    return a.n_chosen > 0 && !a.adapter->directions.empty() &&
           !a.adapter->directions[static_cast<size_t>(layer)].empty();
  });
}

void AdapterPass::steer(int layer, float* x, int64_t d_model) const {
  for (const ActiveAdapter& a : active_) {
    if (a.n_chosen == 0 || a.adapter->directions.empty()) continue;
    const FloatArray& direction = a.adapter->directions[static_cast<size_t>(layer)];
    if (direction.empty()) continue;
    for (int t = 0; t < n_rows_; ++t) {
      if (a.chosen[t] >= 0) kernels::kernels().axpy(x + t * d_model, a.scale[t], direction.data(), d_model);
    }
  }
}

}  // namespace hearth
