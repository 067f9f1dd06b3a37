// States of recurrent layers: two per sequence, the current one and a checkpoint of what it was before the last
// decode().
//
// The first tokens of a decode() read the old state and write into the other one, so that keeping a checkpoint costs no
// copy; what was there before is overwritten.
#pragma once

#include <cstdint>

#include "hearth/batch.h"
#include "lib/base/buffer.h"

namespace hearth {

class States {
 public:
  static constexpr int kSlots = 2;

  /// Cuts memory out of `layout`; with a counting Layout nothing but the size matters. floats: of a sequence's state.
  void lay_out(Layout& layout, int n_seqs, int64_t floats);
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

 private:
  struct Place {
    int32_t current = 0;
    int32_t source = 0;
    int32_t checkpoint = -1;  ///< position of the state in the other slot
    int32_t advanced = 0;     ///< since begin()
  };
  float* slot(SeqId seq, int32_t index) const { return memory_ + (int64_t{seq} * kSlots + index) * floats_; }

  int64_t n_seqs_ = 0, floats_ = 0;
  float* memory_ = nullptr;  ///< [n_seqs, kSlots, floats]
  Place* places_ = nullptr;  ///< [n_seqs]
};

}  // namespace hearth
