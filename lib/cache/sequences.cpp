// Page tables: hold, drop, share, take back.
#include "lib/cache/sequences.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace hearth {
namespace {

constexpr int kPage = KVCache::kPageTokens;
static_assert(kPage == 64, "a mask of a page is one 64-bit word");

/// Joins a slot to the move before where it is its neighbor, above or below.
void add_move(std::vector<SlotMove>& moves, const SlotMove& one) {
  if (!moves.empty()) {
    SlotMove& last = moves.back();
    const int32_t after = one.from_slot - last.from_slot;
    const bool same = last.from_page == one.from_page && last.to_page == one.to_page &&
                      last.to_slot - last.from_slot == one.to_slot - one.from_slot;
    if (same && (after == last.n || after == -1)) {
      if (after < 0) last.from_slot = one.from_slot, last.to_slot = one.to_slot;
      ++last.n;
      return;
    }
  }
  moves.push_back(one);
}

}  // namespace

uint64_t range_mask(int64_t index, int64_t p0, int64_t p1) {
  const int64_t from = std::clamp<int64_t>(p0 - index * kPage, 0, kPage);
  const int64_t to = std::clamp<int64_t>(p1 - index * kPage, 0, kPage);
  if (from >= to) return 0;
  const uint64_t below_to = to == kPage ? ~uint64_t{0} : (uint64_t{1} << to) - 1;
  return below_to & ~((uint64_t{1} << from) - 1);
}

void Sequences::lay_out(Layout& memory, const GroupLayout& layout, const CacheOptions& options) {
  layout_ = layout;
  n_seqs_ = options.n_seqs;
  n_entries_ = pages_for(options.n_ctx);
  pool_.lay_out(memory, layout.n_pages, layout.page_bytes);
  tables_ = memory.take<PageRef>(n_seqs_ * n_entries_);
  made_ = memory.take<uint8_t>(n_seqs_);
  log_ = memory.take<LogEntry>(n_seqs_ * n_entries_);
  dropped_ = memory.take<int32_t>(n_seqs_);
  dropped_before_ = memory.take<int32_t>(n_seqs_);
}

void Sequences::clear() {
  pool_.clear();
  std::fill_n(made_, n_seqs_, uint8_t{0});
  std::fill_n(dropped_, n_seqs_, 0);
  n_log_ = 0;
}

void Sequences::make_row(SeqId seq) const {
  std::fill_n(tables_ + seq * n_entries_, n_entries_, PageRef{});
  made_[seq] = 1;
}

bool Sequences::holds(SeqId seq, int32_t pos) const {
  if (made_[seq] == 0) return false;
  return (row(seq)[pos / kPage].mask >> (pos % kPage) & 1) != 0;
}

int32_t Sequences::length(SeqId seq, int64_t end) const {
  if (made_[seq] == 0) return 0;
  const PageRef* entries = row(seq);
  for (int64_t index = pages_for(end); index-- > 0;) {
    const uint64_t mask = entries[index].mask & range_mask(index, 0, end);
    if (mask != 0) return static_cast<int32_t>(index) * kPage + kPage - std::countl_zero(mask);
  }
  return 0;
}

void Sequences::begin() {
  n_log_ = 0;
  std::copy_n(dropped_, n_seqs_, dropped_before_);
}

void Sequences::log(PageRef& ref) {
  if (ref.log >= 0) return;
  log_[n_log_] = {&ref, ref};
  ref.log = static_cast<int32_t>(n_log_++);
}

bool Sequences::hold(SeqId seq, int32_t pos, Token id) {
  PageRef& ref = row(seq)[pos / kPage];
  log(ref);
  if (ref.page < 0 || !pool_.writable(ref.page)) {
    const int32_t page = ref.page < 0 ? pool_.take() : pool_.take_copy(ref.page);  // the log has the original
    if (page < 0) return false;
    ref.page = page;
  }
  ref.mask |= uint64_t{1} << (pos % kPage);
  pool_.tokens(ref.page)[pos % kPage] = id;
  return true;
}

void Sequences::drop_before(SeqId seq, int32_t pos) {
  const auto end = static_cast<int32_t>(layout_.first_kept(pos) / kPage);
  for (int32_t index = dropped_[seq] / kPage; index < end; ++index) {
    PageRef& ref = row(seq)[index];
    if (ref.page < 0) continue;
    log(ref);
    if (ref.page != log_[ref.log].before.page) pool_.release(ref.page);  // taken since begin(): nobody wants it back
    ref.page = -1;
    ref.unturned = false;
    ref.mask = 0;
  }
  dropped_[seq] = std::max(dropped_[seq], end * kPage);
}

void Sequences::commit() {
  for (int64_t i = 0; i < n_log_; ++i) {
    const auto& [ref, before] = log_[i];
    if (before.page >= 0 && before.page != ref->page) pool_.release(before.page);
    ref->log = -1;
  }
  n_log_ = 0;
}

void Sequences::undo() {
  for (int64_t i = 0; i < n_log_; ++i) {
    const auto& [ref, before] = log_[i];
    if (ref->page >= 0 && before.page != ref->page) pool_.release(ref->page);
    *ref = before;
  }
  n_log_ = 0;
  std::copy_n(dropped_before_, n_seqs_, dropped_);
}

bool Sequences::needs_page(SeqId seq, int64_t index) const {
  const PageRef& ref = row(seq)[index];
  return ref.page < 0 || !pool_.writable(ref.page);
}

bool Sequences::has_room(SeqId seq, int32_t n, int n_batch) const {
  const int64_t begin = length(seq), end = begin + n;
  for (int64_t at = begin; at < end; at += n_batch) {
    const int64_t last = (std::min(at + n_batch, end) - 1) / kPage;
    int64_t wanted = 0;  // pages from the first one kept to the last
    for (int64_t index = std::max(begin, layout_.first_kept(at)) / kPage; index <= last; ++index) {
      wanted += needs_page(seq, index);
    }
    if (wanted > pool_.n_free()) return false;
  }
  return true;
}

bool Sequences::reaches_back_to(SeqId seq, int32_t pos) const {
  return layout_.window == 0 || dropped_[seq] <= std::max(0, pos - layout_.window + 1);
}

void Sequences::clear_entry(PageRef& ref) {
  if (ref.page >= 0) pool_.release(ref.page);
  ref = {};
}

void Sequences::remove(SeqId seq, int32_t p0, int32_t p1) {
  for (int64_t index = pages_for(p1); index-- > p0 / kPage;) {  // of a known prefix the end goes cold first
    PageRef& ref = row(seq)[index];
    ref.mask &= ~range_mask(index, p0, p1);
    if (ref.mask == 0) clear_entry(ref);
  }
}

void Sequences::copy(SeqId from, SeqId to, int32_t p0, int32_t p1) {
  for (int64_t index = 0; index < n_entries_; ++index) {
    clear_entry(row(to)[index]);
    const PageRef& source = row(from)[index];
    const uint64_t mask = source.mask & range_mask(index, p0, p1);
    if (mask == 0) continue;
    row(to)[index] = {source.page, -1, mask, source.unturned};
    pool_.share(source.page);
  }
  dropped_[to] = dropped_[from];
}

int64_t Sequences::n_own_pages(SeqId seq) const {
  int64_t n = 0;
  for (const PageRef& ref : table(seq)) n += ref.page >= 0 && pool_.refs(ref.page) == 1;
  return n;
}

int32_t Sequences::adopt(SeqId seq, int64_t index, uint64_t mask, bool unturned) {
  PageRef& ref = row(seq)[index];
  ref = {pool_.take(), -1, mask, unturned};
  return ref.page;
}

void Sequences::hold_known(SeqId seq, int64_t index, int32_t page) {
  pool_.share(page);
  clear_entry(row(seq)[index]);
  row(seq)[index] = {page, -1, ~uint64_t{0}, false};
}

bool Sequences::collides(SeqId seq, int32_t p0, int32_t p1, int32_t delta) const {
  const int64_t end = n_entries_ * kPage;
  for (int64_t pos = std::max<int64_t>(0, int64_t{p0} + delta); pos < std::min(end, int64_t{p1} + delta); ++pos) {
    const auto to = static_cast<int32_t>(pos);
    if (to >= p0 && to < p1) continue;
    if (holds(seq, to) && holds(seq, to - delta)) return true;
  }
  return false;
}

void Sequences::make_writable(PageRef& ref) {
  if (ref.page >= 0 && pool_.writable(ref.page)) return;
  const int32_t page = ref.page < 0 ? pool_.take() : pool_.take_copy(ref.page);
  if (ref.page >= 0) pool_.release(ref.page);
  ref.page = page;
}

int64_t Sequences::pages_to_shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta) const {
  int64_t wanted = 0, last = -1;
  for (int32_t pos = p0; pos < p1; ++pos) {
    if (!holds(seq, pos) || (pos + delta) / kPage == last) continue;
    last = (pos + delta) / kPage;
    wanted += needs_page(seq, last);
  }
  return wanted;
}

/// Moves a page as a whole, where all that it holds goes to an entry without a page: nothing in it changes, since its
/// keys may stay unturned. (A page that was emptied in this shift stays until its end, since its contents have yet to
/// move.)
bool Sequences::shift_page(SeqId seq, int64_t index, int32_t p0, int32_t p1, int32_t delta) {
  PageRef &source = row(seq)[index], &target = row(seq)[index + delta / kPage];
  if ((source.mask & ~range_mask(index, p0, p1)) != 0 || target.page >= 0) return false;
  make_writable(source);
  target = std::exchange(source, PageRef{});
  target.unturned = true;
  return true;
}

template <typename F>
void Sequences::for_each_unturned(SeqId seq, F&& f) const {
  for (SeqId s = 0; s < n_seqs_; ++s) {
    if (made_[s] == 0 || (seq >= 0 && s != seq)) continue;
    for (int64_t index = 0; index < n_entries_; ++index) {
      if (tables_[s * n_entries_ + index].unturned) f(tables_[s * n_entries_ + index]);
    }
  }
}

int64_t Sequences::n_unturned(SeqId seq) const {
  int64_t n = 0;
  for_each_unturned(seq, [&](const PageRef&) { ++n; });
  return n;
}

void Sequences::take_unturned(SeqId seq, std::vector<SlotMove>& moves) {
  for_each_unturned(seq, [&](PageRef& ref) {
    const int32_t page = ref.page;
    moves.push_back({page, page, 0, 0, kPage});
    ref.unturned = false;
    if (pool_.refs(page) == 1) return;
    for_each_unturned(-1, [&](PageRef& other) { other.unturned &= other.page != page; });
  });
}

void Sequences::shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta, std::vector<SlotMove>& moves) {
  for (int32_t i = 0; i < p1 - p0; ++i) {  // so that nothing is overwritten before it has moved
    const int32_t from = delta < 0 ? p0 + i : p1 - 1 - i, to = from + delta;
    if (!holds(seq, from)) continue;
    if (delta % kPage == 0 && shift_page(seq, from / kPage, p0, p1, delta)) continue;
    PageRef& target = row(seq)[to / kPage];
    make_writable(target);
    PageRef& source = row(seq)[from / kPage];
    add_move(moves, {source.page, target.page, from % kPage, to % kPage});
    pool_.tokens(target.page)[to % kPage] = pool_.tokens(source.page)[from % kPage];
    source.mask &= ~(uint64_t{1} << (from % kPage));
    target.mask |= uint64_t{1} << (to % kPage);
  }
  for (int64_t index = 0; index < n_entries_; ++index) {
    if (row(seq)[index].mask == 0) clear_entry(row(seq)[index]);
  }
  if (dropped_[seq] > p0) dropped_[seq] = std::max(0, dropped_[seq] + delta);
}

}  // namespace hearth
