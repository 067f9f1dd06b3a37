// What a hearth::Session holds.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "hearth/session.h"
#include "lib/base/buffer.h"
#include "lib/base/parallel.h"
#include "lib/cache/kv_cache.h"
#include "lib/model/forward.h"

namespace hearth {

struct Session::Impl {
  explicit Impl(const Model& shared) : model(shared) {}

  Status check(std::span<const BatchToken> batch) const;
  Status compute(std::span<const BatchToken> batch, const std::atomic<bool>* cancel);
  ForwardContext context();

  Model model;
  SessionOptions options;
  MemoryPlan plan;
  std::optional<KVCache> cache;
  std::unique_ptr<Parallel> parallel;
  AlignedBuffer memory;
  Scratch scratch;
  MatmulScratch matmul_scratch;
  std::vector<RopeTable> ropes;
  int n_rows = 0;                 ///< rows of logits that the last decode() left
  LinearObserver observe_linear;  ///< may be empty
};

/// The way into a session for other parts of the library and for tests.
struct SessionInternals {
  static Session::Impl& of(Session& session) { return *session.impl_; }
};

}  // namespace hearth
