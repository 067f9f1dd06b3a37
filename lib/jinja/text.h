// Text: a byte string that remembers, byte by byte, who wrote it: the template (trusted) or a variable.
//
// The marks travel through every string operation of the interpreter, because each of them builds its result by
// appending pieces of its inputs. Special tokens are parsed in trusted bytes only (lib/chat).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

class Text {
 public:
  Text() = default;
  Text(std::string_view bytes, bool trusted) : bytes_(bytes), trusted_(trusted) {}
  Text(std::string&& bytes, bool trusted) : bytes_(std::move(bytes)), trusted_(trusted) {}

  std::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  void reserve(size_t bytes) { bytes_.reserve(bytes); }

  void append(std::string_view bytes, bool trusted);
  void append(const Text& other) { append(other, 0, other.size()); }
  /// Appends other[begin, begin + n) with its marks; the range must lie inside.
  void append(const Text& other, size_t begin, size_t n);
  Text slice(size_t begin, size_t n) const;

  /// Mark of the byte at `pos`; the mark of the last byte for pos == size().
  bool trusted_at(size_t pos) const;
  /// All bytes carry one mark.
  bool is_uniform() const { return flips_.empty(); }
  /// End of the run of equal marks that contains `pos`.
  size_t run_end(size_t pos) const;

 private:
  bool tail_trusted() const { return trusted_ != ((flips_.size() & 1) != 0); }

  std::string bytes_;
  bool trusted_ = true;        // mark of the first run
  std::vector<size_t> flips_;  // ascending offsets at which the mark changes
};

}  // namespace hearth::jinja
