// Assistants (Gemma 4): small models that predict further tokens for another one from its hidden states, with queries
// that attend to its keys and values. For the last token, id, and the final normed hidden state h of the position
// before
//
//   u = W_pre [sqrt(d') E'[id]; h],  g = norm(blocks(u)),  logits of the next token = g E^T,  next h = W_post g
//
// where E' and d' are the embedding and the width of the model, E is the assistant's own embedding, and each block
// attends to the keys and values of the model's last layer that sees as much as itself: all, or a window. The model has
// computed nothing of what is predicted, so that all predictions stand at the position of that last token.
#pragma once

#include <span>

#include "lib/model/forward.h"

namespace hearth {

/// An assistant's sizes, joined to the cache of the model that it drafts for. kInvalidArgument says what does not fit.
Result<HParams> join_assistant(const HParams& assistant, const HParams& target);

/// Predicts what follows tokens whose ids and positions the batch has, one for each sequence; hidden[t]: [d_target].
/// `c` is an assistant's, with the cache and the rotary embeddings of the model `target`; pairs: scratch memory [batch,
/// 2 d_target]. Writes rows of scratch->logits and of next [batch, d_target], which may be what `hidden` points to.
void assistant_predict(const ForwardContext& c, const ForwardContext& target, std::span<const BatchToken> batch,
                       std::span<const float* const> hidden, float* pairs, float* next);

}  // namespace hearth
