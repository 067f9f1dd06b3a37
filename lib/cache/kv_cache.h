// The paged KV cache behind hearth::KVCache: what the session and the forward pass see of it.
//
// layout.h says how large everything is, page_pool.h counts pages, sequences.h has page tables and takes a decode()
// back, states.h keeps what recurrent layers know. All of it lies in one block of memory, which the plan counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hearth/batch.h"
#include "hearth/kv_cache.h"
#include "kernels/kernel_table.h"
#include "lib/base/buffer.h"
#include "lib/cache/layout.h"
#include "lib/cache/sequences.h"
#include "lib/cache/states.h"

namespace hearth {

struct KVCache::Impl {
  /// Bytes that create() will allocate.
  static uint64_t bytes_needed(std::span<const CacheLayer> layers, const CacheOptions& options);
  static Result<std::unique_ptr<Impl>> create(std::span<const CacheLayer> layers, const CacheOptions& options);

  // --- a decode(): begin, then reserve and compute part by part, then commit or undo ---------------------------------
  /// Whether a decode() of these tokens can succeed, but for the pages of sliding windows: kInvalidArgument (a position
  /// out of range or taken), kContextFull.
  Status check(std::span<const BatchToken> batch) const;
  void begin();
  /// Makes room for these tokens, copying shared pages that they write to, and marks their positions as held. On
  /// kContextFull undo() must follow.
  Status reserve(std::span<const BatchToken> batch);
  void commit();
  /// Everything is again as begin() found it.
  void undo();

  // --- what the forward pass reads and writes ------------------------------------------------------------------------
  std::span<const PageRef> table(int layer, SeqId seq) const;
  kernels::KvPage page(int layer, int32_t page, int kv_head) const;
  /// State of a recurrent layer after the tokens being computed, and before them (may be the same memory). What a
  /// sequence begins with is not set here: position 0 starts from zeros.
  float* state(int layer, SeqId seq) const;
  const float* state_before(int layer, SeqId seq) const;

  // --- between decodes -----------------------------------------------------------------------------------------------
  void clear();
  Status remove(SeqId seq, int32_t p0, int32_t p1);
  Status rollback(SeqId seq, int32_t n);
  Status copy(SeqId from, SeqId to, int32_t p0, int32_t p1);
  bool room(SeqId seq, int32_t n) const;
  int32_t length(SeqId seq) const;
  bool contains(SeqId seq, int32_t pos) const;
  /// Id of the token at a position that contains() says is held.
  Token token(SeqId seq, int32_t pos) const;
  KVCacheStats stats() const;

  CacheOptions options;
  CacheLayout layout;
  std::vector<Sequences> groups;
  States states;
  AlignedBuffer memory;

 private:
  void lay_out(Layout& cut);
  Status check_token(const BatchToken& token, int32_t last) const;
  Status check_sequence(SeqId seq) const;
  Status check_range(SeqId seq, int32_t& p0, int32_t& p1) const;
  int32_t length_before(SeqId seq, int32_t end) const;
  Status check_remove(SeqId seq, int32_t p0, int32_t p1) const;

  int32_t* end_ = nullptr;   ///< [n_seqs] one more than the last position of a sequence since begin(); 0: it has none
  int32_t* last_ = nullptr;  ///< [n_seqs] last position of a sequence in the tokens looked at; -1: none
};

/// The way into a cache for other parts of the library and for tests.
struct KVCacheInternals {
  static KVCache::Impl& of(KVCache& cache) { return *cache.impl_; }
  static const KVCache::Impl& of(const KVCache& cache) { return *cache.impl_; }
};

}  // namespace hearth
