// Unicode's normalization forms by canonical equivalence (Unicode Standard Annex 15): NFD takes characters apart into
// letters and marks, NFC puts them together again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::unicode {

/// Canonical_Combining_Class; 0 for starters.
uint32_t combining_class(uint32_t c);

/// NFD of a stream of code points.
class Decomposer {
 public:
  /// Takes one code point; those before it that can change no more go to `sink(uint32_t)`.
  template <typename Sink>
  void push(uint32_t c, Sink&& sink) {
    parts_.clear();
    decompose(c);
    for (const uint32_t part : parts_) {
      if (add(part)) flush(sink);
      if (pending_.empty()) sink(part);
    }
  }
  /// The rest.
  template <typename Sink>
  void finish(Sink&& sink) {
    flush(sink);
  }

 private:
  struct Mark {
    uint32_t code, combining;
  };
  /// Appends the full decomposition to parts_.
  void decompose(uint32_t c);
  /// Keeps a mark; true when `c` is a starter instead.
  bool add(uint32_t c);
  void sort();
  template <typename Sink>
  void flush(Sink&& sink) {
    sort();
    for (const Mark& mark : pending_) sink(mark.code);
    pending_.clear();
  }

  std::vector<uint32_t> parts_;
  std::vector<Mark> pending_;  // consecutive marks
};

/// True when `text` is its own NFC by a look at single characters; false means that only nfc() can say. `text` is clean
/// UTF-8 (utf8::is_clean), here and below.
bool is_surely_nfc(std::string_view text);
/// NFC; takes time in proportion to the text but for long runs of combining marks (n log n).
std::string nfc(std::string_view text);

}  // namespace hearth::unicode
