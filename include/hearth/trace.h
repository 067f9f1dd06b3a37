// trace_attention: what a token looks at, for people who want to see how a model works.
//
//   auto seen = hearth::trace_attention(session, *ids);
//   if (!seen) return fail(seen.error());
//   for (int32_t pos = 0; pos < seen->n_positions; ++pos) show(pos, seen->values[pos]);  // of the first head
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "hearth/batch.h"
#include "hearth/result.h"
#include "hearth/session.h"

namespace hearth {

/// Shares of attention (softmax of query times key) of one token in one layer.
struct AttentionWeights {
  int32_t layer = 0;
  int32_t n_heads = 0;      ///< of queries
  int32_t n_positions = 0;  ///< of the sequence, the token's own the last
  /// [n_heads, n_positions]: how much of each position's value a head takes. A row sums to 1, to less where the model
  /// has sinks; positions outside a sliding window have 0.
  std::vector<float> values;
};

struct TraceOptions {
  SeqId seq = 0;
  int32_t layer = -1;                         ///< < 0: the last one with attention
  const std::atomic<bool>* cancel = nullptr;  ///< as for Session::decode(); off: nullptr
};

/// Computes tokens as Session::prefill() does, with the same logits, and tells what the last of them attends to. A
/// session that is not asked does nothing for it. Takes n_heads * n_positions floats besides the memory plan. Errors as
/// prefill(); kInvalidArgument for a layer that there is not, kUnsupported for a recurrent one.
Result<AttentionWeights> trace_attention(Session& session, std::span<const Token> tokens,
                                         const TraceOptions& options = {});

}  // namespace hearth
