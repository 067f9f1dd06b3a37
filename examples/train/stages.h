// The stages of the network besides its matrix products, each with its backward pass. Matrices are [tokens, features].
// S is float to train and double to check gradients.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace train {

template <typename S>
using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename S>
using RowVector = Eigen::Matrix<S, 1, Eigen::Dynamic>;
template <typename S>
using ConstMap = Eigen::Map<const Matrix<S>>;
template <typename S>
using MutableMap = Eigen::Map<Matrix<S>>;

/// y = x / rms(x) * w, rms over the features (Zhang and Sennrich 2019). Keeps 1 / rms(x) for each token.
template <typename S>
void rms_norm(Matrix<S>& y, std::vector<S>& inverse_rms, const Matrix<S>& x, const S* w, S eps) {
  const Eigen::Index n = x.rows(), d = x.cols();
  const Eigen::Map<const RowVector<S>> weight(w, d);
  y.resize(n, d);
  inverse_rms.resize(static_cast<size_t>(n));
  for (Eigen::Index i = 0; i < n; ++i) {
    const S inverse = S(1) / std::sqrt(x.row(i).squaredNorm() / S(d) + eps);
    inverse_rms[static_cast<size_t>(i)] = inverse;
    y.row(i) = (x.row(i) * inverse).cwiseProduct(weight);
  }
}

/// Adds to dx and dw. With u = dy * w and r = 1 / rms: dx = r u - x r^3 (u . x) / d, dw = sum over tokens of dy x r.
template <typename S>
void rms_norm_backward(Matrix<S>& dx, S* dw, const Matrix<S>& dy, const Matrix<S>& x, const std::vector<S>& inverse_rms,
                       const S* w) {
  const Eigen::Index n = x.rows(), d = x.cols();
  const Eigen::Map<const RowVector<S>> weight(w, d);
  Eigen::Map<RowVector<S>> d_weight(dw, d);
  for (Eigen::Index i = 0; i < n; ++i) {
    const S r = inverse_rms[static_cast<size_t>(i)];
    const S shared = dy.row(i).cwiseProduct(weight).dot(x.row(i)) * r * r * r / S(d);
    d_weight += dy.row(i).cwiseProduct(x.row(i)) * r;
    dx.row(i) += dy.row(i).cwiseProduct(weight) * r - x.row(i) * shared;
  }
}

/// h = silu(gate) * up (Shazeer 2020); gate_up is [tokens, 2 d_ff], gate first.
template <typename S>
void swiglu(Matrix<S>& h, const Matrix<S>& gate_up) {
  const Eigen::Index d_ff = gate_up.cols() / 2;
  h.resize(gate_up.rows(), d_ff);
  for (Eigen::Index i = 0; i < gate_up.rows(); ++i) {
    const auto gate = gate_up.row(i).head(d_ff).array();
    h.row(i) = gate / (S(1) + (-gate).exp()) * gate_up.row(i).tail(d_ff).array();
  }
}

/// Overwrites gate_up with its gradient. With s = sigmoid(g): d silu / dg = s (1 + g (1 - s)).
template <typename S>
void swiglu_backward(Matrix<S>& gate_up, const Matrix<S>& dh) {
  const Eigen::Index d_ff = dh.cols();
  Eigen::Array<S, 1, Eigen::Dynamic> s(d_ff), d_gate(d_ff);
  for (Eigen::Index i = 0; i < dh.rows(); ++i) {
    auto gate = gate_up.row(i).head(d_ff).array();
    auto up = gate_up.row(i).tail(d_ff).array();
    s = (S(1) + (-gate).exp()).inverse();
    d_gate = dh.row(i).array() * up * s * (S(1) + gate * (S(1) - s));
    up = dh.row(i).array() * gate * s;
    gate = d_gate;
  }
}

/// Rotary embedding (Su et al. 2021) of pairs (2 i, 2 i + 1), as GGUF's llama architecture lays heads out.
template <typename S>
class Rope {
 public:
  Rope(int64_t n_ctx, int64_t head_dim, double base);
  /// Turns `n_heads` heads that lie one after the other in `row`, at position `pos`; direction -1 turns back,
  /// which is also the backward pass.
  void turn(S* row, int64_t n_heads, int64_t pos, int direction) const;

 private:
  int64_t half_;
  std::vector<S> cos_, sin_;  // [n_ctx, head_dim / 2]
};

}  // namespace train
