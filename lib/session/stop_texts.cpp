// Finding stop texts in a stream of text.
#include "lib/session/stop_texts.h"

#include <algorithm>

namespace hearth {

StopTexts::StopTexts(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string_view StopTexts::push(std::string_view text) {
  pending_ += text;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, pending_.find(stop));
  found_ = first != std::string::npos;
  const size_t n = found_ ? first : pending_.size() - held_back();
  out_.assign(pending_, 0, n);
  pending_.erase(0, found_ ? std::string::npos : n);
  return out_;
}

std::string_view StopTexts::flush() {
  out_.swap(pending_);
  pending_.clear();
  return out_;
}

/// Length of the longest end of pending_ that begins a stop text.
size_t StopTexts::held_back() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size(), pending_.size()); n > longest; --n) {
      if (pending_.compare(pending_.size() - n, n, stop, 0, n) == 0) longest = n;
    }
  }
  return longest;
}

}  // namespace hearth
