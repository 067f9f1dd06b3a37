// Which of a sequence's two states is which.
#include "lib/cache/states.h"

#include <algorithm>

namespace hearth {

void States::lay_out(Layout& layout, int n_seqs, int64_t floats) {
  n_seqs_ = n_seqs;
  floats_ = floats;
  memory_ = layout.take<float>(n_seqs * kSlots * floats);
  places_ = layout.take<Place>(n_seqs);
}

void States::clear() {
  std::fill_n(places_, n_seqs_, Place{});
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

}  // namespace hearth
