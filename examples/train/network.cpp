// Forward and backward passes (Touvron et al. 2023 for the architecture). Weights are [outputs, inputs]: y = x W^T,
// so dx = dy W and dW = dy^T x.
#include "examples/train/network.h"

#include <cmath>

namespace train {
namespace {

template <typename S>
ConstMap<S> matrix(const S* weights, int64_t offset, int64_t rows, int64_t cols) {
  return {weights + offset, rows, cols};
}
template <typename S>
MutableMap<S> matrix(S* weights, int64_t offset, int64_t rows, int64_t cols) {
  return {weights + offset, rows, cols};
}

}  // namespace

double Shard::total_weight() const {
  double sum = 0;
  for (const float w : weights) sum += static_cast<double>(w);
  return sum;
}

template <typename S>
Network<S>::Network(const Layout& layout)
    : layout_(layout),
      rope_(layout.sizes.n_ctx, layout.sizes.head_dim, static_cast<double>(layout.sizes.rope_base)),
      states_(layout.layers.size()) {}

template <typename S>
double Network<S>::forward(const S* weights, const Shard& shard) {
  const ModelSizes& s = layout_.sizes;
  const auto n = static_cast<Eigen::Index>(shard.ids.size());
  const auto embedding = matrix(weights, layout_.embedding, s.n_vocab, s.d_model);
  x_.resize(n, s.d_model);
  for (Eigen::Index i = 0; i < n; ++i) x_.row(i) = embedding.row(shard.ids[static_cast<size_t>(i)]);
  for (size_t i = 0; i < states_.size(); ++i) layer_forward(weights, layout_.layers[i], shard, states_[i]);
  rms_norm(normed_, inverse_rms_, x_, weights + layout_.output_norm, S(s.rms_eps));
  logits_.noalias() = normed_ * embedding.transpose();
  return cross_entropy(shard);
}

/// x <- x + Wo attention(rope(Wqkv norm(x)));  x <- x + Wdown swiglu(Wgate_up norm(x))
template <typename S>
void Network<S>::layer_forward(const S* weights, const LayerOffsets& at, const Shard& shard, LayerState& state) {
  const ModelSizes& s = layout_.sizes;
  state.x = x_;
  rms_norm(state.normed, state.inverse_rms, x_, weights + at.attn_norm, S(s.rms_eps));
  state.qkv.noalias() = state.normed * matrix(weights, at.wqkv, s.d_q() + 2 * s.d_kv(), s.d_model).transpose();
  turn_heads(state.qkv, shard, 1);
  attention(state.attended, state.probabilities, state.qkv, shard.starts, s);
  x_.noalias() += state.attended * matrix(weights, at.wo, s.d_model, s.d_q()).transpose();

  state.x_mid = x_;
  rms_norm(state.normed_mid, state.inverse_rms_mid, x_, weights + at.ffn_norm, S(s.rms_eps));
  state.gate_up.noalias() = state.normed_mid * matrix(weights, at.gate_up, 2 * s.d_ff, s.d_model).transpose();
  swiglu(state.hidden, state.gate_up);
  x_.noalias() += state.hidden * matrix(weights, at.down, s.d_model, s.d_ff).transpose();
}

template <typename S>
void Network<S>::turn_heads(Matrix<S>& qkv, const Shard& shard, int direction) const {
  const ModelSizes& s = layout_.sizes;
  for (size_t doc = 0; doc + 1 < shard.starts.size(); ++doc) {
    for (int64_t row = shard.starts[doc]; row < shard.starts[doc + 1]; ++row) {
      rope_.turn(qkv.data() + row * qkv.cols(), s.n_heads + s.n_kv_heads, row - shard.starts[doc], direction);
    }
  }
}

template <typename S>
double Network<S>::cross_entropy(const Shard& shard) const {
  double loss = 0;
  for (size_t i = 0; i < shard.ids.size(); ++i) {
    if (shard.weights[i] == 0) continue;
    const auto row = logits_.row(static_cast<Eigen::Index>(i)).array();
    const S top = row.maxCoeff();
    const S log_sum = top + std::log((row - top).exp().sum());
    loss += static_cast<double>(shard.weights[i]) * static_cast<double>(log_sum - row[shard.targets[i]]);
  }
  return loss;
}

template <typename S>
void Network<S>::backward(const S* weights, const Shard& shard, S scale, S* gradient) {
  const ModelSizes& s = layout_.sizes;
  const auto embedding = matrix(weights, layout_.embedding, s.n_vocab, s.d_model);
  auto d_embedding = matrix(gradient, layout_.embedding, s.n_vocab, s.d_model);
  // d logits = weight * (softmax - one-hot)
  for (size_t i = 0; i < shard.ids.size(); ++i) {
    auto row = logits_.row(static_cast<Eigen::Index>(i)).array();
    if (shard.weights[i] == 0) {
      row.setZero();
      continue;
    }
    const S weight = scale * S(shard.weights[i]);
    row = (row - row.maxCoeff()).exp();
    row *= weight / row.sum();
    row[shard.targets[i]] -= weight;
  }
  d_embedding.noalias() += logits_.transpose() * normed_;
  d_a_.noalias() = logits_ * embedding;
  dx_.setZero(x_.rows(), x_.cols());
  rms_norm_backward(dx_, gradient + layout_.output_norm, d_a_, x_, inverse_rms_, weights + layout_.output_norm);
  for (size_t i = states_.size(); i-- > 0;) layer_backward(weights, layout_.layers[i], shard, states_[i], gradient);
  for (size_t i = 0; i < shard.ids.size(); ++i) d_embedding.row(shard.ids[i]) += dx_.row(static_cast<Eigen::Index>(i));
}

/// The stages of layer_forward() from last to first; dx_ is the gradient of the residual stream throughout.
template <typename S>
void Network<S>::layer_backward(const S* weights, const LayerOffsets& at, const Shard& shard, LayerState& state,
                                S* gradient) {
  const ModelSizes& s = layout_.sizes;
  matrix(gradient, at.down, s.d_model, s.d_ff).noalias() += dx_.transpose() * state.hidden;
  d_a_.noalias() = dx_ * matrix(weights, at.down, s.d_model, s.d_ff);
  swiglu_backward(state.gate_up, d_a_);
  matrix(gradient, at.gate_up, 2 * s.d_ff, s.d_model).noalias() += state.gate_up.transpose() * state.normed_mid;
  d_b_.noalias() = state.gate_up * matrix(weights, at.gate_up, 2 * s.d_ff, s.d_model);
  rms_norm_backward(dx_, gradient + at.ffn_norm, d_b_, state.x_mid, state.inverse_rms_mid, weights + at.ffn_norm);

  matrix(gradient, at.wo, s.d_model, s.d_q()).noalias() += dx_.transpose() * state.attended;
  d_a_.noalias() = dx_ * matrix(weights, at.wo, s.d_model, s.d_q());
  attention_backward(d_b_, d_a_, state.qkv, state.probabilities, shard.starts, s);
  turn_heads(d_b_, shard, -1);
  matrix(gradient, at.wqkv, s.d_q() + 2 * s.d_kv(), s.d_model).noalias() += d_b_.transpose() * state.normed;
  d_a_.noalias() = d_b_ * matrix(weights, at.wqkv, s.d_q() + 2 * s.d_kv(), s.d_model);
  rms_norm_backward(dx_, gradient + at.attn_norm, d_a_, state.x, state.inverse_rms, weights + at.attn_norm);
}

template class Network<float>;
template class Network<double>;

}  // namespace train
