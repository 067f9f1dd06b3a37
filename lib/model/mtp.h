// Multi-token prediction (DeepSeek-AI 2024, DeepSeek-V3 technical report, section 2.2): a layer behind the others that
// predicts the token after the next. For the token at position p it computes
//
//   u_p = W [norm_e(E[id_p]); norm_h(h_{p-1})],  h'_p = norm(block(u_p)),  logits of the token at p + 1 = h'_p W_out^T
//
// where h_{p-1} is the final normed hidden state of the model at the position before. Beyond what the model has
// computed h' takes the place of h. Its keys and values lie in the cache like those of any layer, so that whatever
// happens to a sequence happens to them as well.
#pragma once

#include <span>

#include "lib/model/forward.h"

namespace hearth {

/// Of a batch whose final hidden states are scratch->h [n, d_model]: keeps them, and prepares mtp_store().
void mtp_pair(const ForwardContext& c, std::span<const BatchToken> batch);
/// Writes the layer's keys and values of the batch, whose positions are reserved. Overwrites scratch->h.
void mtp_store(const ForwardContext& c, std::span<const BatchToken> batch);

/// The final hidden state of the model that is kept of token `id` at a position; nullptr: it is not. [d_model]
const float* mtp_hidden(const ForwardContext& c, SeqId seq, int32_t pos, Token id);

/// Predicts what follows tokens whose positions the cache holds (KVCache::Impl::hold); hidden[t]: [d_model] of the
/// position before token t, nullptr: zeros. For those that ask for logits, MtpScratch::kTexts at most, writes rows of
/// mtp.hidden, which may be what `hidden` points to, and mtp.logits.
void mtp_predict(const ForwardContext& c, std::span<const BatchToken> batch, std::span<const float* const> hidden);

}  // namespace hearth
