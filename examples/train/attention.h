// Causal attention with grouped queries over documents that lie one after the other and do not see each other.
#pragma once

#include "examples/train/parameters.h"
#include "examples/train/stages.h"

namespace train {

/// Tokens of several documents, shortest description of a batch: document i is [starts[i], starts[i + 1]).
using DocumentStarts = std::vector<int64_t>;

/// out [tokens, d_q] = softmax(q k^T / sqrt(head_dim)) v per head. qkv is [tokens, d_q + 2 d_kv], turned by Rope.
/// Keeps the probabilities, [n, n] for each document and head.
template <typename S>
void attention(Matrix<S>& out, Aligned<S>& probabilities, const Matrix<S>& qkv, const DocumentStarts& starts,
               const ModelSizes& sizes);

/// Overwrites d_qkv with the gradient.
template <typename S>
void attention_backward(Matrix<S>& d_qkv, const Matrix<S>& d_out, const Matrix<S>& qkv, const Aligned<S>& probabilities,
                        const DocumentStarts& starts, const ModelSizes& sizes);

}  // namespace train
