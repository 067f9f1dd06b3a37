// Mixture of experts (Shazeer et al. 2017; Mixtral 2024; DeepSeek-V3 2024 for sigmoid scores and groups): the router
// scores all experts, the best few compute, their outputs are summed with the router's weights.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "lib/model/forward.h"

namespace hearth {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Router logits to scores in place: softmax over the experts, their sigmoid, or the logits themselves (softmax later).
void router_scores(const ForwardContext& c, float* scores, int n_experts) {
  if (c.arch->router == Router::kTopKSoftmax) return;
  if (!c.hp->experts.sigmoid) return kernels::kernels().softmax(scores, n_experts);
  for (int e = 0; e < n_experts; ++e) scores[e] = 1.0f / (1.0f + std::exp(-scores[e]));
}

/// A group is as good as its two best experts.
float group_score(const float* choice, int size) {
  float best = kMinusInfinity, second = kMinusInfinity;
  for (int e = 0; e < size; ++e) {
    if (choice[e] > best) {
      second = best;
      best = choice[e];
    } else if (choice[e] > second) {
      second = choice[e];
    }
  }
  return size > 1 ? best + second : best;
}

/// Forbids every expert outside the best groups (DeepSeek-V3, section 2.1.2; ties: the earlier group).
void limit_to_groups(float* choice, float* groups, const ExpertParams& moe) {
  if (moe.n_groups <= 1 || moe.n_groups_used >= moe.n_groups) return;
  const int size = moe.n_experts / moe.n_groups;
  for (int g = 0; g < moe.n_groups; ++g) groups[g] = group_score(choice + int64_t{g} * size, size);
  for (int g = 0; g < moe.n_groups; ++g) {
    int rank = 0;  // groups that come before this one
    for (int other = 0; other < moe.n_groups; ++other) {
      rank += groups[other] > groups[g] || (groups[other] == groups[g] && other < g);
    }
    if (rank >= moe.n_groups_used) std::fill_n(choice + int64_t{g} * size, size, kMinusInfinity);
  }
}

/// The n_used best experts of token t, best first (ties: lower index), and their weights.
void choose_experts(const ForwardContext& c, const LayerWeights& w, int64_t t) {
  const ExpertParams& moe = c.hp->experts;
  const Scratch& s = *c.scratch;
  float* scores = s.router + t * moe.n_experts;
  float* choice = s.router_choice + t * moe.n_experts;
  float* weight = s.chosen_weight + t * moe.n_used;
  int32_t* chosen = s.chosen + t * moe.n_used;
  router_scores(c, scores, moe.n_experts);
  std::copy_n(scores, moe.n_experts, choice);
  for (size_t e = 0; e < w.router_selection_bias.size(); ++e) choice[e] += w.router_selection_bias[e];
  limit_to_groups(choice, s.router_groups + t * moe.n_groups, moe);
  for (int i = 0; i < moe.n_used; ++i) {
    float* best = std::max_element(choice, choice + moe.n_experts);
    chosen[i] = static_cast<int32_t>(best - choice);
    weight[i] = scores[chosen[i]];
    *best = kMinusInfinity;
    // An expert that was ruled out must not come twice when fewer than n_used are finite.
    if (std::find(chosen, chosen + i, chosen[i]) != chosen + i) weight[i] = 0.0f;
  }
  if (c.arch->router == Router::kTopKSoftmax) {
    kernels::kernels().softmax(weight, moe.n_used);
  } else if (moe.renormalize) {
    float sum = 0.0f;
    for (int i = 0; i < moe.n_used; ++i) sum += weight[i];
    for (int i = 0; i < moe.n_used; ++i) weight[i] /= std::max(sum, 6.103515625e-5f);
  }
  for (int i = 0; i < moe.n_used; ++i) {
    weight[i] *= moe.weights_scale;
  }
}

/// Chooses the experts of n tokens by what the router makes of `input` [n, d_model].
void route(const ForwardContext& c, int layer, const float* input, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  Scratch& s = *c.scratch;
  const ExpertParams& moe = c.hp->experts;
  linear(c, {input, c.hp->d_model, n}, {{&w.router, s.router, moe.n_experts}});
  for_rows(c, n, int64_t{moe.n_experts} * moe.n_used, [&](int t) {
    choose_experts(c, w, t);
    std::fill_n(s.entry_row + int64_t{t} * moe.n_used, moe.n_used, t);
  });
}

/// y = W_down(gate(W_gate h) * W_up h) of the experts that every token visits, times sigmoid(h w) where the file has w;
/// false when there are none.
bool run_shared_experts(const ForwardContext& c, const LayerWeights& w, int n) {
  if (!w.shared_up) return false;
  Scratch& s = *c.scratch;
  const int64_t d_ff = w.shared_up.w.rows;
  gated_linear(c, {s.h, c.hp->d_model, n}, {&w.shared_gate, &w.shared_up, s.ff, d_ff});
  linear(c, {s.ff, d_ff, n}, {{&w.shared_down, s.y, c.hp->d_model}});
  if (!w.shared_scale) return true;
  linear(c, {s.h, c.hp->d_model, n}, {{&w.shared_scale, s.shared_scale, 1}});
  for (int t = 0; t < n; ++t) {
    kernels::kernels().scale(s.y + int64_t{t} * c.hp->d_model, 1.0f / (1.0f + std::exp(-s.shared_scale[t])),
                             c.hp->d_model);
  }
  return true;
}

/// Entries by expert, ascending: counted, then placed.
std::span<const int32_t> order_entries(const Scratch& s, const ExpertParams& moe, int32_t n_entries) {
  int32_t* begin = s.expert_begin;  // of expert e at e + 1, until its entries have moved it
  std::fill_n(begin, moe.n_experts + 1, 0);
  for (int32_t i = 0; i < n_entries; ++i) ++begin[s.chosen[i] + 1];
  std::partial_sum(begin, begin + moe.n_experts, begin);
  for (int32_t i = 0; i < n_entries; ++i) s.entry_order[begin[s.chosen[i]]++] = i;
  return {s.entry_order, static_cast<size_t>(n_entries)};
}

/// y[t] += weight * expert_out[entry] of the token's entries, in the order of the experts' numbers.
void add_experts(const ForwardContext& c, int t) {
  const Scratch& s = *c.scratch;
  const int64_t n_used = c.hp->experts.n_used, d = c.hp->d_model, first = t * n_used;
  for (int64_t i = 0, last = -1; i < n_used; ++i) {
    int64_t next = INT64_MAX;  // an expert and, as it may come twice, its place among the token's
    for (int64_t place = 0; place < n_used; ++place) {
      const int64_t key = s.chosen[first + place] * n_used + place;
      if (key > last) next = std::min(next, key);
    }
    const int64_t entry = first + next % n_used;
    kernels::kernels().axpy(s.y + t * d, s.chosen_weight[entry], s.expert_out + entry * d, d);
    last = next;
  }
}

/// y = sum of weight * W_down(gate(W_gate h) * W_up h) of the chosen experts, and the shared ones; route() has chosen.
void sum_experts(const ForwardContext& c, int layer, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  Scratch& s = *c.scratch;
  const ExpertParams& moe = c.hp->experts;
  const int64_t d = c.hp->d_model, entries = int64_t{n} * moe.n_used;
  const auto n_entries = static_cast<size_t>(entries);
  const Routing routing{{s.chosen, n_entries},
                        {s.entry_row, n_entries},
                        moe.n_experts,
                        order_entries(s, moe, static_cast<int32_t>(entries))};
  if (!run_shared_experts(c, w, n)) std::fill_n(s.y, n * d, 0.0f);
  gated_expert_linear(c, {s.h, d, n}, routing, {&w.expert_gate, &w.expert_up, s.expert_ff, moe.d_ff});
  std::iota(s.entry_row, s.entry_row + entries, 0);  // every entry has a row of its own now
  if (sums_in_tiles(d, c.parallel->n_threads())) {
    const EntryWeights weights{s.chosen_weight, static_cast<uint32_t>(moe.n_used)};
    return expert_sum_linear(c, {s.expert_ff, moe.d_ff, entries}, routing, {&w.expert_down, s.y, d}, weights,
                             after_layer(c, layer));
  }
  expert_linear(c, {s.expert_ff, moe.d_ff, entries}, routing, {&w.expert_down, s.expert_out, d}, after_layer(c, layer));
  for_rows(c, n, d * moe.n_used, [&](int t) { add_experts(c, t); });
}

}  // namespace

bool sums_in_tiles(int64_t d_model, int n_threads) {
  return d_model >= int64_t{2} * kernels::kPanelRows * n_threads;
}

void mixture_of_experts(const ForwardContext& c, int layer, int n) {
  if (n == 0) return;
  route(c, layer, c.scratch->h, n);
  sum_experts(c, layer, n);
}

void dense_and_experts(const ForwardContext& c, int layer, int n) {
  if (n == 0) return;
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  Scratch& s = *c.scratch;
  feed_forward(c, layer, n);
  norm_rows(c, s.dense, s.y, w.dense_post_norm, n, c.hp->d_model);
  norm_rows(c, s.y, s.x, w.router_norm, n, c.hp->d_model);
  route(c, layer, s.y, n);
  norm_rows(c, s.h, s.x, w.expert_norm, n, c.hp->d_model);
  sum_experts(c, layer, n);
  norm_rows(c, s.y, s.y, w.expert_post_norm, n, c.hp->d_model);
  kernels::kernels().add(s.y, s.dense, int64_t{n} * c.hp->d_model);
}

}  // namespace hearth
