// Two-way string matching: the right part is compared first, then the left part.
#include "lib/jinja/text_search.h"

#include <algorithm>

namespace hearth::jinja {
namespace {

constexpr size_t kShortText = 16;
constexpr size_t kNotFound = std::string_view::npos;

}  // namespace

TextSearch::TextSearch(std::string_view what, Direction direction)
    : what_(what),
      bytes_(direction == Direction::kForward ? Bytes{what.data(), 1} : Bytes{what.data() + what.size() - 1, -1}) {
  const size_t n = what.size();
  if (n <= kShortText) return;
  size_t period = 1, other = 1;
  split_ = maximal_suffix(bytes_, n, false, period);
  if (const size_t split = maximal_suffix(bytes_, n, true, other); split > split_) {
    split_ = split;
    period = other;
  }
  periodic_ = period + split_ <= n;
  for (size_t i = 0; periodic_ && i < split_; ++i) periodic_ = bytes_[i] == bytes_[i + period];
  period_ = periodic_ ? period : std::max(split_, n - split_) + 1;
}

/// Begin of the suffix that is largest in one order of bytes, and the period of that suffix.
size_t TextSearch::maximal_suffix(Bytes what, size_t n, bool descending, size_t& period) {
  size_t best = 0, candidate = 1, k = 0;  // compared: what[best + k] with what[candidate + k]
  period = 1;
  while (candidate + k < n) {
    const auto a = static_cast<unsigned char>(what[candidate + k]), b = static_cast<unsigned char>(what[best + k]);
    if (a == b) {
      if (++k == period) {
        candidate += period;
        k = 0;
      }
    } else if ((a < b) != descending) {
      candidate += k + 1;
      k = 0;
      period = candidate - best;
    } else {
      best = candidate++;
      k = 0;
      period = 1;
    }
  }
  return best;
}

/// First occurrence in text[0, n).
size_t TextSearch::search(Bytes text, size_t n) const {
  const size_t m = what_.size();
  size_t known = 0;  // bytes at the begin of `what` that are known to match
  for (size_t pos = 0; pos + m <= n;) {
    size_t i = std::max(split_, known);
    while (i < m && bytes_[i] == text[pos + i]) ++i;
    if (i < m) {
      pos += i - split_ + 1;
      known = 0;
      continue;
    }
    i = split_;
    while (i > known && bytes_[i - 1] == text[pos + i - 1]) --i;
    if (i <= known) return pos;
    pos += period_;
    known = periodic_ ? m - period_ : 0;
  }
  return kNotFound;
}

size_t TextSearch::first(std::string_view text, size_t from) const {
  if (what_.size() <= kShortText) return text.find(what_, from);
  if (from > text.size()) return kNotFound;
  const size_t found = search({text.data() + from, 1}, text.size() - from);
  return found == kNotFound ? kNotFound : from + found;
}

size_t TextSearch::last(std::string_view text, size_t end) const {
  end = std::min(end, text.size());
  if (what_.size() <= kShortText) return text.substr(0, end).rfind(what_);
  if (what_.size() > end) return kNotFound;
  const size_t found = search({text.data() + end - 1, -1}, end);
  return found == kNotFound ? kNotFound : end - found - what_.size();
}

}  // namespace hearth::jinja
