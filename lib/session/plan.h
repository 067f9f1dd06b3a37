// What a session will take: its options with every default filled in, and the bytes that follow from them.
#pragma once

#include <string>
#include <vector>

#include "hearth/session.h"
#include "lib/cache/kv_cache.h"
#include "lib/model/forward.h"
#include "lib/model/model_impl.h"

namespace hearth {

/// Options of a session with every default filled in. kInvalidArgument names one that is out of range.
Result<SessionOptions> resolve_options(const HParams& hp, const SessionOptions& options);

/// Bytes of a session with resolved options.
MemoryPlan plan_memory(const Model::Impl& model, const SessionOptions& options);

/// Session::warning() of resolved options, whose n_threads is what `wanted_threads` came to.
std::string warning_of(const HParams& hp, const SessionOptions& options, int wanted_threads);

/// What the cache keeps of each layer.
std::vector<CacheLayer> cache_layers(const HParams& hp, const SessionOptions& options);
CacheOptions cache_options(const SessionOptions& options);
ScratchSizes scratch_sizes(const HParams& hp, const SessionOptions& options);

/// Encoders and sessions that only embed make none.
inline bool makes_logits(const HParams& hp, const SessionOptions& options) {
  return hp.decoder && !options.hidden_only;
}

}  // namespace hearth
