// trace_attention: a prefill with an observer at the attention stage of one layer.
#include "hearth/trace.h"

#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/model/paged_attention.h"
#include "lib/session/session_impl.h"

namespace hearth {
namespace {

/// The layer that is asked for; < 0: the last one with attention.
Result<int32_t> attention_layer(const HParams& hp, int32_t wanted) {
  if (wanted >= hp.n_layers) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("layer ", wanted, " is not below ", hp.n_layers, ", the layers of the model")};
  }
  int32_t layer = wanted < 0 ? hp.n_layers - 1 : wanted;
  while (wanted < 0 && layer > 0 && hp.layers[static_cast<size_t>(layer)].recurrent) --layer;
  if (!hp.layers[static_cast<size_t>(layer)].recurrent) return layer;
  return Error{ErrorCode::kUnsupported, concat("layer ", layer, " is recurrent and has no attention")};
}

}  // namespace

Result<AttentionWeights> trace_attention(Session& session, std::span<const Token> tokens, const TraceOptions& options) {
  return guard([&]() -> Result<AttentionWeights> {
    Session::Impl& s = SessionInternals::of(session);
    const HParams& hp = ModelInternals::of(s.model).hp;
    const Result<int32_t> layer = attention_layer(hp, options.layer);
    if (!layer) return layer.error();
    const size_t n_positions = static_cast<size_t>(session.cache().length(options.seq)) + tokens.size();
    if (n_positions > static_cast<size_t>(s.options.n_ctx)) {
      return Error{ErrorCode::kContextFull,
                   concat(n_positions, " positions do not fit the context of ", s.options.n_ctx)};
    }
    AttentionWeights seen{
        *layer, hp.layers[static_cast<size_t>(*layer)].n_heads, static_cast<int32_t>(n_positions), {}};
    seen.values.resize(static_cast<size_t>(seen.n_heads) * n_positions);
    s.observe_attention = [&](const ForwardContext& c, int at, std::span<const BatchToken> batch) {
      const bool is_last = at == seen.layer && batch.back().pos + 1 == seen.n_positions;
      if (is_last) attention_weights(c, at, batch, static_cast<int>(batch.size()) - 1, seen.values, seen.n_positions);
    };
    const Status done = session.prefill(tokens, {.seq = options.seq, .cancel = options.cancel});
    s.observe_attention = nullptr;
    if (!done) return done.error();
    return seen;
  });
}

}  // namespace hearth
