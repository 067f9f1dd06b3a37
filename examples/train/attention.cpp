// Attention as products of small matrices, one document and head at a time, and the rotary embedding.
#include "examples/train/attention.h"

#include <cmath>

namespace train {
namespace {

template <typename S>
using Block = Eigen::Map<Matrix<S>, 0, Eigen::OuterStride<>>;
template <typename S>
using ConstBlock = Eigen::Map<const Matrix<S>, 0, Eigen::OuterStride<>>;

/// What the loops over documents and heads share.
struct Heads {
  explicit Heads(const ModelSizes& s)
      : n_heads(s.n_heads), head_dim(s.head_dim), group(s.n_heads / s.n_kv_heads), k(s.d_q()), v(s.d_q() + s.d_kv()) {}
  int64_t n_heads, head_dim, group, k, v;
  int64_t q_at(int64_t head) const { return head * head_dim; }
  int64_t k_at(int64_t head) const { return k + head / group * head_dim; }
  int64_t v_at(int64_t head) const { return v + head / group * head_dim; }
};

/// Columns [col, col + head_dim) of the rows of one document.
template <typename S>
ConstBlock<S> view(const Matrix<S>& m, int64_t row, int64_t n, int64_t col, int64_t width) {
  return {m.data() + row * m.cols() + col, n, width, Eigen::OuterStride<>(m.cols())};
}
template <typename S>
Block<S> view(Matrix<S>& m, int64_t row, int64_t n, int64_t col, int64_t width) {
  return {m.data() + row * m.cols() + col, n, width, Eigen::OuterStride<>(m.cols())};
}

/// Rows of scores become probabilities; row i sees columns 0 to i.
template <typename S>
void causal_softmax(MutableMap<S>& scores, S scale) {
  for (Eigen::Index i = 0; i < scores.rows(); ++i) {
    auto seen = scores.row(i).head(i + 1).array();
    const S top = seen.maxCoeff();
    seen = ((seen - top) * scale).exp();
    seen *= S(1) / seen.sum();
    scores.row(i).tail(scores.cols() - i - 1).setZero();
  }
}

}  // namespace

template <typename S>
void attention(Matrix<S>& out, Aligned<S>& probabilities, const Matrix<S>& qkv, const DocumentStarts& starts,
               const ModelSizes& sizes) {
  const Heads heads(sizes);
  const int64_t d = sizes.head_dim;
  int64_t needed = 0;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t n = starts[i + 1] - starts[i];
    needed += n * n * heads.n_heads;
  }
  probabilities.resize(static_cast<size_t>(needed));
  out.resize(qkv.rows(), sizes.d_q());
  S* p = probabilities.data();
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t at = starts[i], n = starts[i + 1] - at;
    for (int64_t h = 0; h < heads.n_heads; ++h, p += n * n) {
      MutableMap<S> scores(p, n, n);
      scores.noalias() = view(qkv, at, n, heads.q_at(h), d) * view(qkv, at, n, heads.k_at(h), d).transpose();
      causal_softmax(scores, S(1) / std::sqrt(S(d)));
      view(out, at, n, heads.q_at(h), d).noalias() = scores * view(qkv, at, n, heads.v_at(h), d);
    }
  }
}

template <typename S>
void attention_backward(Matrix<S>& d_qkv, const Matrix<S>& d_out, const Matrix<S>& qkv, const Aligned<S>& probabilities,
                        const DocumentStarts& starts, const ModelSizes& sizes) {
  const Heads heads(sizes);
  const int64_t d = sizes.head_dim;
  const S scale = S(1) / std::sqrt(S(d));
  d_qkv.setZero(qkv.rows(), qkv.cols());
  Matrix<S> d_scores;
  const S* p = probabilities.data();
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t at = starts[i], n = starts[i + 1] - at;
    for (int64_t h = 0; h < heads.n_heads; ++h, p += n * n) {
      const ConstMap<S> prob(p, n, n);
      const auto d_head = view(d_out, at, n, heads.q_at(h), d);
      // dV = P^T dO;  dP = dO V^T;  dS = P * (dP - rowsum(P * dP)) / sqrt(d);  dQ = dS K;  dK = dS^T Q.
      view(d_qkv, at, n, heads.v_at(h), d).noalias() += prob.transpose() * d_head;
      d_scores.noalias() = d_head * view(qkv, at, n, heads.v_at(h), d).transpose();
      for (Eigen::Index row = 0; row < n; ++row) {
        const S shared = prob.row(row).dot(d_scores.row(row));
        d_scores.row(row) = prob.row(row).array() * (d_scores.row(row).array() - shared) * scale;
      }
      view(d_qkv, at, n, heads.q_at(h), d).noalias() += d_scores * view(qkv, at, n, heads.k_at(h), d);
      view(d_qkv, at, n, heads.k_at(h), d).noalias() += d_scores.transpose() * view(qkv, at, n, heads.q_at(h), d);
    }
  }
}

template <typename S>
Rope<S>::Rope(int64_t n_ctx, int64_t head_dim, double base) : half_(head_dim / 2) {
  for (int64_t pos = 0; pos < n_ctx; ++pos) {
    for (int64_t i = 0; i < half_; ++i) {
      const double angle =
          static_cast<double>(pos) * std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
      cos_.push_back(static_cast<S>(std::cos(angle)));
      sin_.push_back(static_cast<S>(std::sin(angle)));
    }
  }
}

template <typename S>
void Rope<S>::turn(S* row, int64_t n_heads, int64_t pos, int direction) const {
  const S* c = cos_.data() + pos * half_;
  const S* s = sin_.data() + pos * half_;
  for (int64_t h = 0; h < n_heads; ++h) {
    for (int64_t i = 0; i < half_; ++i) {
      S& x = row[(h * half_ + i) * 2];
      S& y = row[(h * half_ + i) * 2 + 1];
      const S sine = direction < 0 ? -s[i] : s[i];
      const S turned = x * c[i] - y * sine;
      y = x * sine + y * c[i];
      x = turned;
    }
  }
}

template class Rope<float>;
template class Rope<double>;
template void attention(Matrix<float>&, Aligned<float>&, const Matrix<float>&, const DocumentStarts&,
                        const ModelSizes&);
template void attention(Matrix<double>&, Aligned<double>&, const Matrix<double>&, const DocumentStarts&,
                        const ModelSizes&);
template void attention_backward(Matrix<float>&, const Matrix<float>&, const Matrix<float>&, const Aligned<float>&,
                                 const DocumentStarts&, const ModelSizes&);
template void attention_backward(Matrix<double>&, const Matrix<double>&, const Matrix<double>&, const Aligned<double>&,
                                 const DocumentStarts&, const ModelSizes&);

}  // namespace train
