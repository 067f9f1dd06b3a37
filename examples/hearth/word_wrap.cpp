// Words onto lines.
#include "word_wrap.h"

#include "text_width.h"

namespace hearth_tool {
namespace {

/// Bytes at the end of `text` that begin a character without ending it.
size_t unfinished(std::string_view text) {
  for (size_t n = 1; n <= 3 && n <= text.size(); ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return length > n ? n : 0;
  }
  return 0;
}

constexpr int kTab = 8;

}  // namespace

std::string WordWrap::push(std::string_view piece) {
  pending_ += piece;
  const size_t n = pending_.size() - unfinished(pending_);
  std::string out;
  for (const char32_t c : from_utf8(std::string_view(pending_).substr(0, n))) put(c, out);
  pending_.erase(0, n);
  return out;
}

std::string WordWrap::finish() {
  std::string out;
  for (const char32_t c : from_utf8(pending_)) put(c, out);
  pending_.clear();
  return out;
}

void WordWrap::new_line(std::string& out) {
  out += '\n';
  column_ = 0;
  word_.clear();
  word_cells_ = 0;
}

void WordWrap::put(char32_t c, std::string& out) {
  if (c == '\n') return new_line(out);
  if (c == ' ' || c == '\t') {
    const int cells = c == ' ' ? 1 : kTab - column_ % kTab;
    if (column_ + cells > limit_) return new_line(out);
    out.append(static_cast<size_t>(cells), ' ');
    column_ += cells;
    word_.clear();
    word_cells_ = 0;
    return;
  }
  for (const char32_t shown : from_utf8(printable(to_utf8({&c, 1})))) put_word_letter(shown, cells_of(shown), out);
}

void WordWrap::put_word_letter(char32_t c, int cells, std::string& out) {
  if (column_ + cells > limit_) {
    if (word_cells_ > 0 && word_cells_ < column_) {
      out += "\033[" + std::to_string(word_cells_) + "D\033[K\n" + to_utf8(word_);
      column_ = word_cells_;
    } else {
      new_line(out);
    }
  }
  out += to_utf8({&c, 1});
  column_ += cells;
  word_ += c;
  word_cells_ += cells;
  if (cells > 1) {  // a line may end after it
    word_.clear();
    word_cells_ = 0;
  }
}

}  // namespace hearth_tool
