// The sequences of a session as places for answers: who holds one, which tokens lie in it, and how many pages are
// promised. Sequences that nobody holds keep their tokens, so that a later prompt which begins alike need not compute
// them; the one not used for longest is given up when pages or places are wanted. Whole pages stay known beyond that,
// by the tokens in them, until the cache wants their room.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hearth/kv_cache.h"
#include "hearth/session.h"

namespace hearth {

class Slots {
 public:
  /// `cache` must outlive it and be changed only through it and by decode().
  Slots(KVCache& cache, int32_t n_seqs) : cache_(&cache), entries_(static_cast<size_t>(n_seqs)) {}

  struct Place {
    SeqId seq = -1;
    int32_t cached = 0;  ///< tokens that the prompt begins with and that it holds already: fewer than all
    int32_t kept = 0;    ///< all that it holds of the prompt
    int32_t branch = 0;  ///< a part of the prompt should end here (KVCache::Impl::branch); 0: anywhere
  };
  /// Tokens of a prompt that take() would find, at least.
  int32_t cached(std::span<const Token> prompt, uint64_t key) const;
  /// A sequence for a prompt, with pages for `reserve` positions; with `reuse` it begins with what some sequence has in
  /// common with the prompt, if that was computed under the same `key` (of adapters). It is `wanted` where that is none
  /// of -1. Nothing when places or pages are short.
  std::optional<Place> take(std::span<const Token> prompt, int64_t reserve, bool reuse, uint64_t key = 0,
                            SeqId wanted = -1);
  /// The same for a prompt of which something in the middle may have changed: an idle sequence becomes it and keeps
  /// unchanged stretches of at least min_stretch tokens (Session::reuse_changed). What it holds is an approximation
  /// from then on, which only take_changed() hands on. Nothing also where take() finds as much.
  std::optional<Place> take_changed(Session& session, std::span<const Token> prompt, int64_t reserve,
                                    int32_t min_stretch, uint64_t key = 0);
  /// A sequence that will share the first n_shared positions of another (see branch) and take pages up to `reserve`.
  std::optional<SeqId> take_branch(int32_t n_shared, int64_t reserve);
  /// The sequence becomes what `from` is.
  Status branch(SeqId from, SeqId to);
  /// Promises pages up to `reserve` positions; false when they are short.
  bool extend(SeqId seq, int64_t reserve);
  /// A decode() has computed tokens of the sequence.
  void computed(SeqId seq, std::span<const Token> tokens);
  /// No more of what was computed will be taken back, but for what is no longer in the cache: whole pages become known.
  /// keep_state: a state of recurrent layers is wanted here, too, if a page ends here.
  void settle(SeqId seq, bool keep_state);
  /// Nobody holds it any more; what lies in it stays for reuse.
  void release(SeqId seq);
  /// Forgets what lies in it.
  void forget(SeqId seq);

  int32_t n_idle() const;
  bool is_idle(SeqId seq) const { return !at(seq).taken; }

  // --- an idle sequence and files ----------------------------------------------------------------------------------
  int32_t n_held(SeqId seq) const { return static_cast<int32_t>(at(seq).held.size()); }
  uint64_t key(SeqId seq) const { return at(seq).key; }
  /// kUnsupported: what it holds cannot serve another run.
  Status check_saving(SeqId seq) const;
  /// The sequence in the cache was restored; it was computed under `key`. Errors leave it empty.
  Status adopt(SeqId seq, uint64_t key);
  /// Forgets another idle sequence, the one not used for longest; false: none holds anything.
  bool give_up_one(SeqId but);

 private:
  struct Entry {
    std::vector<Token> held;
    uint64_t key = 0;     ///< of the adapters that `held` was computed with
    int32_t n_known = 0;  ///< pages that settle() has made known
    bool approximate = false;
    bool taken = false;
    int64_t reserved = 0;
    int32_t will_share = 0;  ///< > 0: branch() is still to come
    uint64_t used = 0;       ///< when, for the choice of what to give up
  };

  bool can_share(SeqId from, int32_t n) const;
  SeqId best_source(std::span<const Token> prompt, uint64_t key, int32_t& n_common) const;
  SeqId oldest_idle(SeqId but = -1) const;
  SeqId place_for(SeqId source, int32_t n_common) const;
  bool may_fit(int64_t n_pages) const;
  int64_t free_pages() const;
  int64_t growth(SeqId seq) const;
  int64_t promised() const;
  bool make_room(SeqId keep);
  void hold(SeqId seq, int64_t reserve);
  Entry& at(SeqId seq) { return entries_[static_cast<size_t>(seq)]; }
  const Entry& at(SeqId seq) const { return entries_[static_cast<size_t>(seq)]; }

  KVCache* cache_;
  std::vector<Entry> entries_;
  uint64_t now_ = 0;
};

}  // namespace hearth
