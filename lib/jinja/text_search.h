// Search of one text in another in linear time, whatever they are: templates and users choose both.
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::jinja {

/// The two-way algorithm (Crochemore and Perrin, "Two-way string-matching", Journal of the ACM 38, 1991): at most some
/// comparisons a byte and no memory. Short texts are searched for by the standard library, whose worst case is their
/// length times that of the other text.
class TextSearch {
 public:
  enum class Direction : bool { kForward, kBackward };
  /// `what` must live as long as the search.
  explicit TextSearch(std::string_view what, Direction direction = Direction::kForward);

  /// Forward: the first occurrence at or after `from`; npos when there is none.
  size_t first(std::string_view text, size_t from = 0) const;
  /// Backward: the last occurrence that ends at or before `end`; npos when there is none.
  size_t last(std::string_view text, size_t end) const;

 private:
  /// Bytes in one direction or the other.
  struct Bytes {
    const char* at;
    ptrdiff_t step;
    char operator[](size_t i) const { return at[static_cast<ptrdiff_t>(i) * step]; }
  };
  static size_t maximal_suffix(Bytes what, size_t n, bool descending, size_t& period);
  size_t search(Bytes text, size_t n) const;

  std::string_view what_;
  Bytes bytes_;
  size_t split_ = 0;       ///< where the critical factorization cuts `what`
  size_t period_ = 1;      ///< of `what`, or a safe shift where it has no short one
  bool periodic_ = false;  ///< the part before the cut repeats after period_
};

}  // namespace hearth::jinja
