// What a hearth::Session holds.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/session.h"
#include "lib/base/buffer.h"
#include "lib/base/parallel.h"
#include "lib/cache/kv_cache.h"
#include "lib/model/forward.h"
#include "lib/model/model_impl.h"
#include "lib/model/shift_positions.h"
#include "lib/session/adapter_set.h"

namespace hearth {

struct Session::Impl {
  explicit Impl(const Model& shared) : model(shared) {}

  Status check(std::span<const BatchToken> batch) const;
  Status compute(std::span<const BatchToken> batch, const std::atomic<bool>* cancel);
  ForwardContext context();
  /// Whether pages of a sequence may be known to others; then `adapters.key(seq, 0)` names what else they depend on.
  bool shares_prefixes() const { return options.reuse_prefixes && !adapters.waits_for_tokens(); }
  /// Turns keys that KVCache::Impl::take_unturned() gives.
  void take_turn(SeqId seq, int32_t delta);
  /// Lets adapters with invocation tokens see what is about to be computed.
  void look_at(std::span<const BatchToken> batch);
  /// The same for a prompt that is computed part by part; adapters.end_look_ahead() ends it.
  void look_ahead(SeqId seq, std::span<const Token> tokens);
  /// Of what decides keys and values besides the tokens: the file (metadata, shapes, some of every tensor's bytes) and
  /// the rotary embeddings.
  uint64_t fingerprint() const;

  Model model;
  SessionOptions options;
  MemoryPlan plan;
  std::string warning;
  std::optional<KVCache> cache;
  std::shared_ptr<Parallel> parallel;  ///< a draft model's session computes with the same
  AlignedBuffer memory;
  Scratch scratch;
  MatmulScratch matmul_scratch;
  std::vector<RopeTable> ropes;
  ShiftPlan shift_plan;  ///< for KVCache::Impl::turn
  AdapterSet adapters;
  int n_rows = 0;                       ///< rows of logits that the last decode() left
  LinearObserver observe_linear;        ///< may be empty
  AttentionObserver observe_attention;  ///< may be empty
};

/// The way into a session for other parts of the library and for tests.
struct SessionInternals {
  static Session::Impl& of(const Session& session) { return *session.impl_; }
  static std::shared_ptr<Parallel> threads(const Session& session) { return session.impl_->parallel; }
  /// A session that computes with threads that are there; null: with its own.
  static Result<Session> create(const Model& model, const SessionOptions& options, std::shared_ptr<Parallel> threads);
  /// As Session::save() and restore(); `key` names what else the entries depend on (adapters); 0: nothing.
  static Result<std::vector<std::byte>> save(const Session& session, SeqId seq, uint64_t key);
  static Status restore(Session& session, SeqId seq, std::span<const std::byte> bytes, uint64_t key);
};

}  // namespace hearth
