// Recurrent layers: a Gated DeltaNet (Yang et al. 2024, "Gated Delta Networks", equation 10). Each value head keeps a
// matrix S [k_dim, v_dim] that maps keys to values; a token makes it decay, corrects what it answers to the token's
// key, and reads it with the token's query. Before that a short causal convolution runs over q, k and v.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/model/forward.h"

namespace hearth {
namespace {

using kernels::kernels;

/// The sequences of a batch in the order of their first tokens, each with its rows. Lies in scratch memory.
std::span<const SequenceRows> split_by_sequence(const Scratch& s, std::span<const BatchToken> batch) {
  int32_t* row = s.sequence_rows;
  size_t n = 0;
  for (const BatchToken& first : batch) {
    const bool known = std::any_of(s.sequences, s.sequences + n, [&](const auto& q) { return q.seq == first.seq; });
    if (known) continue;
    const int32_t* begin = row;
    for (size_t t = 0; t < batch.size(); ++t) {
      if (batch[t].seq == first.seq) *row++ = static_cast<int32_t>(t);
    }
    s.sequences[n++] = {first.seq, first.pos == 0, {begin, row}};
  }
  return {s.sequences, n};
}

/// q, k and v to recurrent_in and the gate to recurrent_z, out of the rows of one matrix.
void split_joined(const ForwardContext& c, int n) {
  const RecurrentParams& p = c.hp->recurrent;
  const int64_t width = p.channels() + p.v_width(), share = p.v_width() / p.n_k_heads;
  for_rows(c, n, width, [&](int t) {
    const float* from = c.scratch->recurrent_joined + t * width;
    float* q = c.scratch->recurrent_in + int64_t{t} * p.channels();
    float* k = q + int64_t{p.n_k_heads} * p.k_dim;
    float* v = k + int64_t{p.n_k_heads} * p.k_dim;
    float* z = c.scratch->recurrent_z + int64_t{t} * p.v_width();
    for (int h = 0; h < p.n_k_heads; ++h, from += 2 * (p.k_dim + share)) {
      std::copy_n(from, p.k_dim, q + int64_t{h} * p.k_dim);
      std::copy_n(from + p.k_dim, p.k_dim, k + int64_t{h} * p.k_dim);
      std::copy_n(from + 2 * p.k_dim, share, v + h * share);
      std::copy_n(from + 2 * p.k_dim + share, share, z + h * share);
    }
  });
}

void project(const ForwardContext& c, const RecurrentWeights& w, int n) {
  const RecurrentParams& p = c.hp->recurrent;
  Scratch& s = *c.scratch;
  const int64_t ba_width = 2 * int64_t{p.n_v_heads};
  linear(c, {s.h, c.hp->d_model, n},
         {{&w.joined, s.recurrent_joined, p.channels() + p.v_width()},  // or the next two
          {&w.qkv, s.recurrent_in, p.channels()},
          {&w.z, s.recurrent_z, p.v_width()},
          {&w.beta_alpha, s.recurrent_ba, ba_width},  // or the next two
          {&w.beta, s.recurrent_ba, ba_width},
          {&w.alpha, s.recurrent_ba + p.n_v_heads, ba_width}});
  if (w.joined) split_joined(c, n);
}

/// qkv[t, ch] = silu(sum_j conv[ch, j] in[t - width + 1 + j, ch]); the state holds the inputs before the batch,
/// [width - 1, channels], the newest last. It is read from `before`, which may be the same memory.
void convolve(const ForwardContext& c, const RecurrentWeights& w, float* state, const float* before,
              const SequenceRows& seq) {
  const RecurrentParams& p = c.hp->recurrent;
  const int64_t n_channels = p.channels();
  const int64_t past = p.conv_width - 1;
  const auto n = static_cast<int64_t>(seq.rows.size());
  const auto input = [&](int64_t t) {  // t < 0: before the batch
    return t < 0 ? before + (past + t) * n_channels
                 : c.scratch->recurrent_in + seq.rows[static_cast<size_t>(t)] * n_channels;
  };
  for_rows(c, static_cast<int>(n), n_channels * p.conv_width, [&](int t) {
    float* out = c.scratch->recurrent_qkv + seq.rows[static_cast<size_t>(t)] * n_channels;
    std::fill_n(out, n_channels, 0.0f);
    for (int64_t j = 0; j <= past; ++j) {
      const float* in = input(t - past + j);
      const float* tap = w.conv.data() + j;
      for (int64_t ch = 0; ch < n_channels; ++ch) out[ch] += tap[ch * p.conv_width] * in[ch];
    }
    kernels().gate_mul(out, out, nullptr, n_channels, kernels::Gate::kSilu);
  });
  for (int64_t i = 0; i < past; ++i) {  // row i comes from a later one, so ascending order overwrites nothing needed
    std::memmove(state + i * n_channels, input(n - past + i), static_cast<size_t>(n_channels) * sizeof(float));
  }
}

/// x *= scale / sqrt(|x|^2 + eps)
void unit_length(float* x, int64_t n, float eps, float scale) {
  kernels().scale(x, scale / std::sqrt(kernels().dot(x, x, n) + eps), n);
}

void normalize_queries_and_keys(const ForwardContext& c, int n) {
  const RecurrentParams& p = c.hp->recurrent;
  const float scale = 1.0f / std::sqrt(static_cast<float>(p.k_dim));
  for_rows(c, n, 2 * int64_t{p.n_k_heads} * p.k_dim, [&](int t) {
    float* x = c.scratch->recurrent_qkv + int64_t{t} * p.channels();
    for (int h = 0; h < 2 * p.n_k_heads; ++h) {
      unit_length(x + int64_t{h} * p.k_dim, p.k_dim, c.hp->norm_eps, h < p.n_k_heads ? scale : 1.0f);
    }
  });
}

/// Where a value head finds its key head and its rates.
struct HeadPlace {
  int k_head;
  int64_t beta, alpha;  ///< in a row of recurrent_ba
};

HeadPlace head_place(const ForwardContext& c, const RecurrentWeights& w, int head) {
  const RecurrentParams& p = c.hp->recurrent;
  const int share = p.n_v_heads / p.n_k_heads;
  const int k_head = c.arch->value_heads_tiled ? head % p.n_k_heads : head / share;
  if (!w.beta_alpha) return {k_head, head, p.n_v_heads + head};
  const int64_t group = int64_t{head / share} * 2 * share;
  return {k_head, group + head % share, group + share + head % share};
}

/// S = e^g S;  S += k (beta (v - S^T k))^T;  out = S^T q.
void delta_step(float* S, float* out, float* answer, const float* q, const float* k, const float* v, float decay,
                float beta, const RecurrentParams& p) {
  std::fill_n(answer, p.v_dim, 0.0f);
  for (int64_t i = 0; i < p.k_dim; ++i) {
    kernels().scale(S + i * p.v_dim, decay, p.v_dim);
    kernels().axpy(answer, k[i], S + i * p.v_dim, p.v_dim);
  }
  for (int64_t d = 0; d < p.v_dim; ++d) answer[d] = beta * (v[d] - answer[d]);
  std::fill_n(out, p.v_dim, 0.0f);
  for (int64_t i = 0; i < p.k_dim; ++i) {
    kernels().axpy(S + i * p.v_dim, k[i], answer, p.v_dim);
    kernels().axpy(out, q[i], S + i * p.v_dim, p.v_dim);
  }
}

/// One value head over the tokens of a sequence, from its matrix in `before` on: heads[t, head] = norm(out) * silu(z).
void run_head(const ForwardContext& c, const RecurrentWeights& w, float* states, const float* before,
              const SequenceRows& seq, int head, float* answer) {
  const RecurrentParams& p = c.hp->recurrent;
  const HeadPlace place = head_place(c, w, head);
  const int64_t floats = int64_t{p.k_dim} * p.v_dim;
  float* S = states + head * floats;
  if (!seq.starts && before != states) std::copy_n(before + head * floats, floats, S);
  const auto at = static_cast<size_t>(head);
  for (const int t : seq.rows) {
    const float* qkv = c.scratch->recurrent_qkv + int64_t{t} * p.channels();
    const float* q = qkv + int64_t{place.k_head} * p.k_dim;
    const float* k = q + int64_t{p.n_k_heads} * p.k_dim;
    const float* v = qkv + 2 * int64_t{p.n_k_heads} * p.k_dim + int64_t{head} * p.v_dim;
    const float* rates = c.scratch->recurrent_ba + int64_t{t} * 2 * p.n_v_heads;
    const float x = rates[place.alpha] + w.dt[at];
    const float softplus = x > 20.0f ? x : std::log1p(std::exp(x));
    const float beta = 1.0f / (1.0f + std::exp(-rates[place.beta]));
    float* out = c.scratch->heads + int64_t{t} * p.v_width() + int64_t{head} * p.v_dim;
    delta_step(S, out, answer, q, k, v, std::exp(w.a[at] * softplus), beta, p);
    norm_row(c, out, out, w.norm, p.v_dim);
    kernels().gate_mul(out, c.scratch->recurrent_z + int64_t{t} * p.v_width() + int64_t{head} * p.v_dim, out, p.v_dim,
                       kernels::Gate::kSilu);
  }
}

}  // namespace

void delta_net(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows) {
  const RecurrentParams& p = c.hp->recurrent;
  const RecurrentWeights& w = c.weights->layers[static_cast<size_t>(layer)].recurrent;
  const int n = static_cast<int>(batch.size());
  project(c, w, n);
  const std::span<const SequenceRows> sequences = split_by_sequence(*c.scratch, batch);
  for (const SequenceRows& seq : sequences) {
    float* state = c.cache->state(layer, seq.seq);
    if (seq.starts) std::fill_n(state, p.state_floats(), 0.0f);
    convolve(c, w, state, seq.starts ? state : c.cache->state_before(layer, seq.seq), seq);
  }
  normalize_queries_and_keys(c, n);
  c.parallel->run(static_cast<int>(sequences.size()) * p.n_v_heads, [&](int task, int worker) {
    const SequenceRows& seq = sequences[static_cast<size_t>(task / p.n_v_heads)];
    float* states = c.cache->state(layer, seq.seq) + p.conv_floats();
    const float* before = c.cache->state_before(layer, seq.seq) + p.conv_floats();
    run_head(c, w, states, before, seq, task % p.n_v_heads, c.scratch->workers[static_cast<size_t>(worker)].total);
  });
  if (rows.empty()) return;
  keep_rows(c, c.scratch->heads, p.v_width(), rows);
  linear(c, {c.scratch->heads, p.v_width(), static_cast<int64_t>(rows.size())},
         {{&w.out, c.scratch->y, c.hp->d_model}});
}

}  // namespace hearth
