// Twin of hearth/trace.h.
#include "lib/c/call.h"

using namespace hearth::c;

extern "C" {

void hearth_trace_options_init(HearthTraceOptions* options) {
  HearthTraceOptions full{};
  full.layer = hearth::TraceOptions{}.layer;
  fill(options, full);
}
HearthCode hearth_trace_attention(HearthSession* session, const int32_t* tokens, size_t n,
                                  const HearthTraceOptions* options, HearthAttentionWeights* shape, float** values,
                                  HearthError* error) {
  return call(error, [&]() -> hearth::Status {
    if (auto s = needs({{session, "session"}, {tokens, "tokens"}, {values, "values"}}); !s) return s;
    const auto full = complete(options, hearth_trace_options_init);
    if (!full) return full.error();
    const auto seen = hearth::trace_attention(
        session->session, {tokens, n}, {.seq = full->seq, .layer = full->layer, .cancel = flag_of(full->cancel)});
    if (!seen) return seen.error();
    fill(shape, HearthAttentionWeights{0, seen->layer, seen->n_heads, seen->n_positions});
    return hand_out(std::span<const float>(seen->values), values, nullptr);
  });
}

}  // extern "C"
