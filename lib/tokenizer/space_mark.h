// "▁" for spaces, and where text so written may be cut without changing its tokens.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "lib/tokenizer/vocab.h"

namespace hearth {

inline constexpr size_t kMaxMarkedText = 0xFFFFFFFF;  // offsets into it are 32-bit

inline void append_with_marks(std::string& out, std::string_view text) {
  size_t spaces = 0;
  for (const char c : text) spaces += c == ' ';
  const size_t begin = out.size();
  out.resize(begin + text.size() + spaces * (kSpaceMark.size() - 1));
  char* p = out.data() + begin;
  for (const char c : text) {
    if (c != ' ') {
      *p++ = c;
      continue;
    }
    std::memcpy(p, kSpaceMark.data(), kSpaceMark.size());
    p += kSpaceMark.size();
  }
}

/// Where text with marks may be cut so that each part can be treated alone: before a "▁" that begins a word, unless
/// some entry of the vocabulary joins the character before it to the mark.
class WordCuts {
 public:
  /// Every string that symbols can grow to must be seen.
  void learn(std::string_view entry) {
    for (size_t at = 0; (at = next_mark(entry, at)) < entry.size();)
      joined_[static_cast<uint8_t>(entry[at - 1])] = true;
  }
  void learn(std::string_view left, std::string_view right) {
    learn(left);
    learn(right);
    if (right.starts_with(kSpaceMark) && !left.ends_with(kSpaceMark)) joined_[static_cast<uint8_t>(left.back())] = true;
  }

  /// End of the part of clean UTF-8 `text` that begins at `from`.
  size_t next(std::string_view text, size_t from) const {
    size_t at = next_mark(text, from);
    while (at < text.size() && joined_[static_cast<uint8_t>(text[at - 1])]) at = next_mark(text, at);
    return at;
  }

 private:
  /// First mark after `from` that follows something other than a mark; text.size() when there is none.
  static size_t next_mark(std::string_view text, size_t from) {
    for (size_t at = text.find(kSpaceMark, from + 1); at != std::string_view::npos;
         at = text.find(kSpaceMark, at + 1)) {
      if (at < 3 || text.substr(at - 3, 3) != kSpaceMark) return at;
    }
    return text.size();
  }

  std::array<bool, 256> joined_{};  // by the last byte before the mark
};

}  // namespace hearth
