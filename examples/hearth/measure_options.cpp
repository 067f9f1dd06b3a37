// Flags of the commands that compute a long text.
#include "measure_options.h"

#include "terminal.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::MeasureOptions;
using hearth::Result;

void MeasureSettings::declare(Options& options) {
  options.add("-c,--ctx", session.n_ctx, "Tokens a chunk; each starts with an empty cache");
  options.add("--chunks", chunks, "Chunks of the text, from its beginning (0: all)");
  options.add("--parse-special", parse_special, "Control tokens that are written in the text become those tokens");
  options.add("-t,--threads", session.n_threads, "Threads (0: the physical cores that this process may use)");
  session.declare_kv_types(options);
  options.add("--exact", session.exact, "Multiply quantised weights by float activations, not 8-bit ones (slower)");
  options.add("--isa", session.isa, "Instruction set to use instead of the best one, e.g. scalar or avx2");
}

Result<MeasureOptions> MeasureSettings::resolve() const {
  const auto resolved = session.resolve();
  if (!resolved) return resolved.error();
  if (chunks < 0) return Error{ErrorCode::kInvalidArgument, "--chunks must not be negative"};
  return MeasureOptions{.chunk_size = session.n_ctx,
                        .max_chunks = chunks,
                        .parse_special = parse_special,
                        .k_type = resolved->k_type,
                        .v_type = resolved->v_type,
                        .n_threads = resolved->n_threads,
                        .exact_products = resolved->exact_products,
                        .cancel = interrupt_flag()};
}

}  // namespace hearth_tool
