// States of recurrent layers: two per sequence, the current one and a checkpoint of what it was before the last
// decode().
//
// The first tokens of a decode() read the old state and write into the other one, so that keeping a checkpoint costs no
// copy; what was there before is overwritten. Besides, a few states are kept for prefixes that come again, each under
// the key of its prefix; the one not used for longest goes first.
#pragma once

#include <cstdint>
#include <functional>

#include "hearth/batch.h"
#include "lib/base/buffer.h"

namespace hearth {

class States {
 public:
  static constexpr int kSlots = 2;

  /// Cuts memory out of `layout`; with a counting Layout nothing but the size matters. floats: of a sequence's state.
  /// n_kept: states kept for prefixes.
  void lay_out(Layout& layout, int n_seqs, int64_t floats, int64_t n_kept);
  void clear();

  int64_t floats() const { return floats_; }
  /// Where the tokens being computed leave their state, and where they find that of the tokens before them (the same,
  /// or the checkpoint). Both are [floats].
  float* current(SeqId seq) const { return slot(seq, places_[seq].current); }
  const float* source(SeqId seq) const { return slot(seq, places_[seq].source); }

  void begin();
  /// Tokens of a sequence from `pos` on are about to be computed.
  void advance(SeqId seq, int32_t pos);
  /// Every sequence is again as begin() found it, but for checkpoints that were overwritten.
  void undo();

  /// The position (tokens before it) that go_back() returns to; -1: there is none.
  int32_t checkpoint(SeqId seq) const { return places_[seq].checkpoint; }
  void go_back(SeqId seq);
  /// The sequence begins anew; a state from zeros needs no checkpoint.
  void restart(SeqId seq) { places_[seq].checkpoint = -1; }
  void copy(SeqId from, SeqId to);

  // --- states of prefixes ------------------------------------------------------------------------------------------
  /// Keeps the current state of a sequence under a key that is not 0; the number of its place, or -1: there is none.
  /// Only a state that is `wanted` pushes out another.
  int32_t keep(SeqId seq, uint64_t key, bool wanted);
  /// A state that is kept has been of use.
  void touch(int32_t kept) { kept_[kept].used = ++now_; }
  /// The sequence begins with a state that is kept.
  void begin_from(SeqId seq, int32_t kept);
  /// Is told the keys of states that are pushed out.
  void on_forget(std::function<void(uint64_t key)> forget) { forget_ = std::move(forget); }
  int64_t n_places() const { return n_kept_; }

 private:
  struct Kept {
    uint64_t key = 0;  ///< 0: free
    uint64_t used = 0;
  };
  struct Place {
    int32_t current = 0;
    int32_t source = 0;
    int32_t checkpoint = -1;  ///< position of the state in the other slot
    int32_t advanced = 0;     ///< since begin()
  };
  float* slot(SeqId seq, int32_t index) const { return memory_ + (int64_t{seq} * kSlots + index) * floats_; }

  float* kept_state(int32_t kept) const { return memory_ + (n_seqs_ * kSlots + kept) * floats_; }

  int64_t n_seqs_ = 0, floats_ = 0, n_kept_ = 0;
  float* memory_ = nullptr;  ///< [n_seqs, kSlots, floats], then [n_kept, floats]
  Place* places_ = nullptr;  ///< [n_seqs]
  Kept* kept_ = nullptr;     ///< [n_kept]
  uint64_t now_ = 0;
  std::function<void(uint64_t key)> forget_;
};

}  // namespace hearth
