// The network: forward pass, loss and backward pass over a shard of documents. One object a thread.
//
//   Network<float> network(layout);
//   double loss = network.forward(weights, shard);      // logits() are there now
//   network.backward(weights, shard, scale, gradient);  // adds scale * d loss / d weights
#pragma once

#include <vector>

#include "examples/train/attention.h"
#include "examples/train/parameters.h"
#include "examples/train/stages.h"

namespace train {

/// Documents to compute together; each at most n_ctx tokens.
struct Shard {
  std::vector<int32_t> ids;      ///< [tokens]
  std::vector<int32_t> targets;  ///< the token after each
  std::vector<float> weights;    ///< how much each target counts; 0 for the last token of a document
  DocumentStarts starts{0};
  double total_weight() const;
};

template <typename S>
class Network {
 public:
  explicit Network(const Layout& layout);

  /// Computes logits and returns the sum of weight * cross-entropy over the shard.
  double forward(const S* weights, const Shard& shard);
  /// After forward() with the same arguments. Adds to gradient [n_parameters].
  void backward(const S* weights, const Shard& shard, S scale, S* gradient);
  /// [tokens, n_vocab] of the last forward(); backward() overwrites them.
  const Matrix<S>& logits() const { return logits_; }

 private:
  /// What a layer's backward pass needs of its forward pass.
  struct LayerState {
    Matrix<S> x, normed, qkv, attended, x_mid, normed_mid, gate_up, hidden;
    std::vector<S> inverse_rms, inverse_rms_mid;
    Aligned<S> probabilities;
  };

  void layer_forward(const S* weights, const LayerOffsets& at, const Shard& shard, LayerState& state);
  void layer_backward(const S* weights, const LayerOffsets& at, const Shard& shard, LayerState& state, S* gradient);
  void turn_heads(Matrix<S>& qkv, const Shard& shard, int direction) const;
  double cross_entropy(const Shard& shard) const;

  Layout layout_;
  Rope<S> rope_;
  std::vector<LayerState> states_;
  Matrix<S> x_, normed_, logits_;  // the residual stream; after the last layer
  std::vector<S> inverse_rms_;
  Matrix<S> dx_, d_a_, d_b_;  // gradients: of the residual stream, and of stages
};

}  // namespace train
