// The sequences of one group: tables of pages, and a log that takes a decode() back.
//
// Entry i of a sequence's table covers positions 64 i .. 64 i + 63; its mask says which are held. Between begin() and
// commit() the first change of an entry is logged together with its page, which stays until commit(); so undo() gives
// exactly what begin() found.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/cache/layout.h"
#include "lib/cache/page_pool.h"

namespace hearth {

/// One entry of a page table.
struct PageRef {
  int32_t page = -1;      ///< -1: nothing held
  int32_t log = -1;       ///< its number in the log of the decode() in progress; -1: unchanged so far
  uint64_t mask = 0;      ///< bit t: position 64 i + t is held
  bool unturned = false;  ///< its keys are to be turned by KVCache::Impl::turn, as every entry with this page knows
};

/// Keys and values of n neighboring slots go to others, which may overlap them.
struct SlotMove {
  int32_t from_page, to_page;
  int32_t from_slot, to_slot;
  int32_t n = 1;
};

class Sequences {
 public:
  /// Cuts tables and pool out of `memory`; with a counting Layout nothing but the size matters.
  void lay_out(Layout& memory, const GroupLayout& layout, const CacheOptions& options);
  void clear();

  std::span<const PageRef> table(SeqId seq) const { return {row(seq), static_cast<size_t>(n_entries_)}; }
  const PagePool& pool() const { return pool_; }
  PagePool& pool() { return pool_; }
  const GroupLayout& layout() const { return layout_; }
  bool holds(SeqId seq, int32_t pos) const;
  /// One more than the highest position held below `end`.
  int32_t length(SeqId seq, int64_t end) const;
  int32_t length(SeqId seq) const { return length(seq, n_entries_ * KVCache::kPageTokens); }
  /// Positions below this have left the window.
  int32_t dropped(SeqId seq) const { return dropped_[seq]; }

  // --- a decode() ------------------------------------------------------------------------------------------------
  void begin();
  /// Holds a position, in a page that nobody else has. False when no page is free; undo() must follow then.
  bool hold(SeqId seq, int32_t pos, Token id);
  /// Gives up pages that are no longer needed when the next token stands at `pos`.
  void drop_before(SeqId seq, int32_t pos);
  void commit();
  void undo();
  /// Whether an entry that will be written to needs another page.
  bool needs_page(SeqId seq, int64_t index) const;
  /// Whether hold() of n more positions at the end of a sequence will find pages, `n_batch` at a time.
  bool has_room(SeqId seq, int32_t n, int n_batch) const;

  // --- between decodes -------------------------------------------------------------------------------------------
  /// Whether a token at `pos` would find all of its window.
  bool reaches_back_to(SeqId seq, int32_t pos) const;
  void remove(SeqId seq, int32_t p0, int32_t p1);
  /// `to` becomes positions [p0, p1) of `from`, sharing pages.
  void copy(SeqId from, SeqId to, int32_t p0, int32_t p1);
  /// Pages that shift() will take.
  int64_t pages_to_shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta) const;
  /// Moves the positions held in [p0, p1) by delta in the table, and appends to `moves`, which has room for them, what
  /// has to follow in the pages, in order; pages that move as a whole become unturned instead. No other position may be
  /// held where they go, no page of the sequence may be unturned, and pages_to_shift() must be free.
  void shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta, std::vector<SlotMove>& moves);
  /// Whether positions outside [p0, p1) are held where those inside go.
  bool collides(SeqId seq, int32_t p0, int32_t p1, int32_t delta) const;
  /// Entries of a sequence (-1: of all) whose keys are unturned; ...
  int64_t n_unturned(SeqId seq) const;
  /// ... appends their pages to `moves`, which has room for them, each once, and takes the mark off every entry that
  /// has such a page: who calls turns them.
  void take_unturned(SeqId seq, std::vector<SlotMove>& moves);
  /// Pages that nobody but this sequence holds.
  int64_t n_own_pages(SeqId seq) const;
  /// Gives an empty entry a page of its own with these positions; there must be a free one. Its number.
  int32_t adopt(SeqId seq, int64_t index, uint64_t mask, bool unturned);
  /// Gives an entry a whole page that is in the pool already, in place of what it had.
  void hold_known(SeqId seq, int64_t index, int32_t page);
  void set_dropped(SeqId seq, int32_t dropped) { dropped_[seq] = dropped; }
  /// All positions are about to be forgotten: nothing has left the window any more.
  void restart(SeqId seq) { dropped_[seq] = 0; }

 private:
  struct LogEntry {
    PageRef* ref;
    PageRef before;
  };

  /// Tables are made when they are first written to: those of sequences that never come cost no memory.
  PageRef* row(SeqId seq) const {
    if (made_[seq] == 0) make_row(seq);
    return tables_ + seq * n_entries_;
  }
  void make_row(SeqId seq) const;
  void log(PageRef& ref);
  void clear_entry(PageRef& ref);
  void make_writable(PageRef& ref);
  bool shift_page(SeqId seq, int64_t index, int32_t p0, int32_t p1, int32_t delta);
  template <typename F>
  void for_each_unturned(SeqId seq, F&& f) const;

  GroupLayout layout_;
  PagePool pool_;
  int64_t n_seqs_ = 0, n_entries_ = 0, n_log_ = 0;
  PageRef* tables_ = nullptr;          ///< [n_seqs, n_ctx / 64]
  uint8_t* made_ = nullptr;            ///< [n_seqs] whether the row of a sequence is in tables_
  LogEntry* log_ = nullptr;            ///< [n_log], of at most all entries
  int32_t* dropped_ = nullptr;         ///< [n_seqs]
  int32_t* dropped_before_ = nullptr;  ///< [n_seqs] as begin() found it
};

/// Bits of positions [p0, p1) that fall into page `index` of a table.
uint64_t range_mask(int64_t index, int64_t p0, int64_t p1);

}  // namespace hearth
