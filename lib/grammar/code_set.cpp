// Union, complement and intersection of sets of code points.
#include "lib/grammar/code_set.h"

#include <algorithm>

namespace hearth::grammar {

void CodeSet::add(uint32_t lo, uint32_t hi) {
  if (lo > hi) return;
  // The first range that ends at lo - 1 or later, and all that begin until hi + 1, join the new one.
  auto first = std::lower_bound(ranges_.begin(), ranges_.end(), lo,
                                [](const CodeRange& r, uint32_t at) { return r.hi + 1 < at; });
  auto last = first;
  while (last != ranges_.end() && last->lo <= hi + 1) {
    lo = std::min(lo, last->lo);
    hi = std::max(hi, last->hi);
    ++last;
  }
  first = ranges_.erase(first, last);
  ranges_.insert(first, {lo, hi});
}

void CodeSet::add(const CodeSet& other) {
  for (const CodeRange& r : other.ranges_) add(r.lo, r.hi);
}

CodeSet CodeSet::inverted() const {
  CodeSet out;
  uint32_t next = 0;
  for (const CodeRange& r : ranges_) {
    if (r.lo > next) out.ranges_.push_back({next, r.lo - 1});
    next = r.hi + 1;
  }
  if (next <= kMaxCode) out.ranges_.push_back({next, kMaxCode});
  return out;
}

CodeSet CodeSet::common(const CodeSet& other) const {
  CodeSet out;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const CodeRange a = ranges_[i], b = other.ranges_[j];
    const uint32_t lo = std::max(a.lo, b.lo), hi = std::min(a.hi, b.hi);
    if (lo <= hi) out.ranges_.push_back({lo, hi});
    (a.hi < b.hi ? i : j) += 1;
  }
  return out;
}

bool CodeSet::contains(uint32_t code) const {
  const auto at =
      std::lower_bound(ranges_.begin(), ranges_.end(), code, [](const CodeRange& r, uint32_t c) { return r.hi < c; });
  return at != ranges_.end() && at->lo <= code;
}

}  // namespace hearth::grammar
