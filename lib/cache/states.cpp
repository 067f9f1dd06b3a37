// Which of a sequence's two states is which, and which are kept for prefixes.
#include "lib/cache/states.h"

#include <algorithm>

namespace hearth {

void States::lay_out(Layout& layout, int n_seqs, int64_t floats, int64_t n_kept) {
  n_seqs_ = n_seqs;
  floats_ = floats;
  n_kept_ = floats > 0 ? n_kept : 0;
  memory_ = layout.take<float>((n_seqs_ * kSlots + n_kept_) * floats);
  places_ = layout.take<Place>(n_seqs);
  kept_ = layout.take<Kept>(n_kept_);
}

void States::clear() {
  std::fill_n(places_, n_seqs_, Place{});
  std::fill_n(kept_, n_kept_, Kept{});
}

void States::begin() {
  for (int64_t seq = 0; floats_ > 0 && seq < n_seqs_; ++seq) places_[seq].advanced = 0;
}

void States::advance(SeqId seq, int32_t pos) {
  Place& place = places_[seq];
  place.source = place.current;
  if (place.advanced != 0) return;
  place.advanced = 1;
  place.current = 1 - place.current;
  place.checkpoint = pos;
}

void States::undo() {
  for (int64_t seq = 0; floats_ > 0 && seq < n_seqs_; ++seq) {
    if (places_[seq].advanced != 0) go_back(static_cast<SeqId>(seq));
    places_[seq].advanced = 0;
  }
}

void States::go_back(SeqId seq) {
  Place& place = places_[seq];
  place.current = place.source = 1 - place.current;
  place.checkpoint = -1;
}

void States::copy(SeqId from, SeqId to) {
  std::copy_n(slot(from, places_[from].current), floats_, slot(to, 0));
  places_[to] = Place{};
}

int32_t States::keep(SeqId seq, uint64_t key, bool wanted) {
  if (n_kept_ == 0) return -1;
  Kept* const place = std::min_element(kept_, kept_ + n_kept_, [](const Kept& a, const Kept& b) {
    return (a.key == 0 ? 0 : a.used) < (b.key == 0 ? 0 : b.used);  // free ones first
  });
  if (place->key != 0 && !wanted) return -1;
  if (place->key != 0 && forget_) forget_(place->key);
  const auto kept = static_cast<int32_t>(place - kept_);
  std::copy_n(slot(seq, places_[seq].current), floats_, kept_state(kept));
  place->key = key;
  touch(kept);
  return kept;
}

void States::begin_from(SeqId seq, int32_t kept) {
  std::copy_n(kept_state(kept), floats_, slot(seq, 0));
  places_[seq] = Place{};
  touch(kept);
}

}  // namespace hearth
