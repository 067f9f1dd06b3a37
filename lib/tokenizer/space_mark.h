// "▁" for spaces, and where text so written may be cut without changing its tokens.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "lib/tokenizer/vocab.h"

namespace hearth {

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

/// First "▁" after byte `from` that follows something other than "▁"; text.size() when there is none.
inline size_t next_word_start(std::string_view text, size_t from) {
  for (size_t at = text.find(kSpaceMark, from); at != std::string_view::npos; at = text.find(kSpaceMark, at + 3)) {
    const bool after_mark = at >= 3 && text.substr(at - 3, 3) == kSpaceMark;
    if (at > from && !after_mark) return at;
  }
  return text.size();
}

/// True when `entry` joins a word to the mark of the next one: then words cannot be treated one by one.
inline bool spans_words(std::string_view entry) {
  return next_word_start(entry, 0) < entry.size();
}

}  // namespace hearth
