// Appending and slicing of marked text.
#include "lib/jinja/text.h"

#include <algorithm>

namespace hearth::jinja {

void Text::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  if (bytes_.empty()) {
    trusted_ = trusted;
    flips_.clear();
  } else if (tail_trusted() != trusted) {
    flips_.push_back(bytes_.size());
  }
  bytes_.append(bytes);
}

void Text::append(const Text& other, size_t begin, size_t n) {
  if (&other == this) {
    const Text copy = other;
    append(copy, begin, n);
    return;
  }
  const std::string_view bytes = other.bytes();
  const size_t end = begin + n;
  if (other.is_uniform()) {
    append(bytes.substr(begin, n), other.trusted_);
    return;
  }
  while (begin < end) {
    const size_t stop = std::min(end, other.run_end(begin));
    append(bytes.substr(begin, stop - begin), other.trusted_at(begin));
    begin = stop;
  }
}

Text Text::slice(size_t begin, size_t n) const {
  Text out;
  out.append(*this, begin, n);
  return out;
}

bool Text::trusted_at(size_t pos) const {
  const auto flips = std::upper_bound(flips_.begin(), flips_.end(), pos) - flips_.begin();
  return trusted_ != ((flips & 1) != 0);
}

size_t Text::run_end(size_t pos) const {
  const auto at = std::upper_bound(flips_.begin(), flips_.end(), pos);
  return at == flips_.end() ? bytes_.size() : *at;
}

}  // namespace hearth::jinja
