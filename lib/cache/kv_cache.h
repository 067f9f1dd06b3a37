// The paged KV cache behind hearth::KVCache: what the session and the forward pass see of it.
//
// layout.h says how large everything is, page_pool.h counts pages, sequences.h has page tables and takes a decode()
// back, states.h keeps what recurrent layers know. All of it lies in one block of memory, which the plan counts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "hearth/batch.h"
#include "hearth/kv_cache.h"
#include "kernels/kernel_table.h"
#include "lib/base/buffer.h"
#include "lib/cache/layout.h"
#include "lib/cache/prefix_index.h"
#include "lib/cache/sequences.h"
#include "lib/cache/states.h"

namespace hearth {

/// Takes bytes front to back.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

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
  /// The same for layers with attention alone, to be taken back: states stay as they are.
  Status hold(std::span<const BatchToken> batch);
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
  Status keep(SeqId seq);
  /// Moves positions in all groups: moves[g] is what has to follow in the pages of group g, in order, but for pages
  /// that move as a whole: they stay unturned. take_unturned() for the same delta must have been called. Errors: those
  /// of Session::shift; nothing has changed then.
  Status shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta, std::vector<std::vector<SlotMove>>& moves);
  /// Makes delta the `turn` of pages to come. The unturned pages of a sequence, and unless that was their turn already,
  /// of all sequences, group by group: who calls turns them by what they had, and they count as turned.
  std::vector<std::vector<SlotMove>> take_unturned(SeqId seq, int32_t delta);
  /// Writes a sequence, as saved_sequence.cpp has the format. `model`: what decides the entries besides the tokens.
  /// Errors are those of `write`; kInvalidArgument for a bad sequence.
  Status save(SeqId seq, uint64_t model, const ByteSink& write) const;
  /// Replaces a sequence by a saved one. kFormat: damaged; kInvalidArgument: of another model, type or size of pages,
  /// or it does not fit the context; kContextFull: no pages are free. On an error nothing has changed.
  /// `before_unturned` is told, before anything changes, by what its unturned pages are to be turned, if it has any; it
  /// becomes `turn`.
  Status restore(SeqId seq, uint64_t model, std::span<const std::byte> bytes,
                 const std::function<void(int32_t turn)>& before_unturned = {});

  // --- prefixes that were computed before --------------------------------------------------------------------------
  // `root` names what else decides what pages hold (adapters); 0: nothing does.

  /// Tokens of the longest known prefix of these, in whole pages and less than all of them.
  int32_t known(std::span<const Token> tokens, uint64_t root = 0) const;
  /// Lets an empty sequence begin with it. How many tokens that is.
  int32_t reuse(SeqId seq, std::span<const Token> tokens, uint64_t root = 0);
  /// Makes known the pages that positions [p0, p1), just committed, have filled from their beginning on, if everything
  /// before them is known; what is known already is shared from now on. A state of recurrent layers is kept if p1 is
  /// the end of a page and there is a place for it; where `keep_state` says so, in place of another.
  void remember(SeqId seq, int32_t p0, int32_t p1, uint64_t root = 0, bool keep_state = false);
  /// With recurrent layers: where the pages end that reuse() could have taken, had their state been kept. Other prompts
  /// begin like that, so a state is worth keeping there (Pan et al. 2024, Marconi). 0: nowhere.
  int32_t branch(SeqId seq) const { return branch_[seq]; }
  bool room(SeqId seq, int32_t n) const;
  int32_t length(SeqId seq) const;
  bool contains(SeqId seq, int32_t pos) const;
  /// Id of the token at a position that contains() says is held.
  Token token(SeqId seq, int32_t pos) const;
  KVCacheStats stats() const;

  CacheOptions options;
  CacheLayout layout;
  std::vector<Sequences> groups;
  int32_t turn = 0;  ///< positions by which keys of unturned pages are yet to be turned (sequences.h)
  PrefixIndex prefixes;
  States states;
  AlignedBuffer memory;

 private:
  void lay_out(Layout& cut);
  Status check_token(const BatchToken& token, int32_t last) const;
  Status check_sequence(SeqId seq) const;
  Status check_range(SeqId seq, int32_t& p0, int32_t& p1) const;
  int32_t length_before(SeqId seq, int32_t end) const;
  using Chain = std::vector<const PrefixPages*>;
  Chain find_chain(std::span<const Token> tokens, uint64_t root) const;
  bool reaches(const Chain& chain, size_t n) const;
  size_t usable(const Chain& chain) const;
  void share_known(SeqId seq, int64_t index, uint64_t key);
  /// Only the first n pages of a sequence are still what a prefill of their tokens gives.
  void limit_known(SeqId seq, int32_t n) { known_[seq] = std::min(known_[seq], n); }
  void copy_held(std::byte* to, size_t group, const PageRef& ref) const;
  Status check_remove(SeqId seq, int32_t p0, int32_t p1) const;

  int32_t* end_ = nullptr;     ///< [n_seqs] one more than the last position of a sequence since begin(); 0: it has none
  int32_t* known_ = nullptr;   ///< [n_seqs] leading pages that are known, or equal to known ones
  int32_t* branch_ = nullptr;  ///< [n_seqs] see branch()
  uint64_t* root_ = nullptr;   ///< [n_seqs] of the known pages
  int32_t* last_ = nullptr;    ///< [n_seqs] last position of a sequence in the tokens looked at; -1: none
};

/// The way into a cache for other parts of the library and for tests.
struct KVCacheInternals {
  static KVCache::Impl& of(KVCache& cache) { return *cache.impl_; }
  static const KVCache::Impl& of(const KVCache& cache) { return *cache.impl_; }
};

}  // namespace hearth
