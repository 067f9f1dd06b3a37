// The keys of Emacs, as shells have them.
#include "line_editor.h"

#include <algorithm>

#include "text_width.h"

namespace hearth_tool {
namespace {

using Kind = Key::Kind;

bool is_blank(char32_t c) {
  return c == ' ' || c == '\n' || c == '\t';
}

}  // namespace

std::string LineEditor::text() const {
  return to_utf8(text_);
}

std::string LineEditor::search_prompt() const {
  if (!searching_) return {};
  return std::string(found_ ? "(search) " : "(not found) ") + "'" + to_utf8(query_) + "': ";
}

LineEditor::State LineEditor::handle(const Key& key) {
  if (searching_ && handle_search(key)) return State::kEditing;
  switch (key.kind) {
    case Kind::kEnter: return State::kDone;
    case Kind::kInterrupt: return State::kInterrupted;
    case Kind::kClosed: return State::kEnd;
    case Kind::kEndOfText:
      if (text_.empty()) return State::kEnd;
      edit({Kind::kDelete});
      return State::kEditing;
    default: edit(key); return State::kEditing;
  }
}

/// True when the key belonged to the search; any other ends it and then does what it does.
bool LineEditor::handle_search(const Key& key) {
  switch (key.kind) {
    case Kind::kText:
      query_ += key.text;
      find(std::min(at_ + 1, history_.size()));
      return true;
    case Kind::kBackspace:
      if (!query_.empty()) query_.pop_back();
      find(history_.size());
      return true;
    case Kind::kSearch: find(at_); return true;
    case Kind::kResize: return true;
    case Kind::kCancel:
    case Kind::kInterrupt:
      searching_ = false;
      text_ = before_search_;
      cursor_ = text_.size();
      at_ = history_.size();
      return true;
    default: searching_ = false; return false;
  }
}

/// The latest earlier text before number `before` that holds the query.
void LineEditor::find(size_t before) {
  found_ = false;
  if (query_.empty()) return;
  for (size_t i = before; i-- > 0;) {
    const std::u32string candidate = from_utf8(history_[i]);
    const size_t place = candidate.find(query_);
    if (place == std::u32string::npos) continue;
    found_ = true;
    at_ = i;
    text_ = candidate;
    cursor_ = place;
    return;
  }
}

void LineEditor::edit(const Key& key) {
  switch (key.kind) {
    case Kind::kText:
    case Kind::kPaste: return insert(key.text);
    case Kind::kNewLine: return insert(U"\n");
    case Kind::kBackspace: {
      const size_t begin = left(cursor_);
      text_.erase(begin, cursor_ - begin);
      cursor_ = begin;
      return;
    }
    case Kind::kDelete: text_.erase(cursor_, right(cursor_) - cursor_); return;
    case Kind::kLeft: cursor_ = left(cursor_); return;
    case Kind::kRight: cursor_ = right(cursor_); return;
    case Kind::kWordLeft: cursor_ = word_left(); return;
    case Kind::kWordRight: cursor_ = word_right(); return;
    case Kind::kUp: return move_vertically(true);
    case Kind::kDown: return move_vertically(false);
    case Kind::kHome: cursor_ = cursor_ == 0 ? 0 : text_.rfind(U'\n', cursor_ - 1) + 1; return;
    case Kind::kEnd: cursor_ = std::min(text_.find(U'\n', cursor_), text_.size()); return;
    case Kind::kCutBefore: return cut(0, cursor_);
    case Kind::kCutAfter: return cut(cursor_, text_.size());
    case Kind::kCutWord: return cut(word_left(), cursor_);
    case Kind::kCutNextWord: return cut(cursor_, word_right());
    case Kind::kInsertCut: return insert(cut_);
    case Kind::kTranspose:
      if (cursor_ > 0 && text_.size() > 1) {
        if (cursor_ == text_.size()) --cursor_;
        std::swap(text_[cursor_ - 1], text_[cursor_]);
        ++cursor_;
      }
      return;
    case Kind::kSearch:
      searching_ = true;
      found_ = true;
      query_.clear();
      before_search_ = text_;
      at_ = history_.size();
      return;
    default: return;
  }
}

void LineEditor::insert(const std::u32string& text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

void LineEditor::cut(size_t begin, size_t end) {
  if (begin == end) return;
  cut_ = text_.substr(begin, end - begin);
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

/// To the line above or below in a text of several, otherwise through history.
void LineEditor::move_vertically(bool up) {
  const size_t begin = cursor_ == 0 ? 0 : text_.rfind(U'\n', cursor_ - 1) + 1, column = cursor_ - begin;
  const size_t end = std::min(text_.find(U'\n', cursor_), text_.size());
  if (up && begin > 0) {
    const size_t above = begin == 1 ? 0 : text_.rfind(U'\n', begin - 2) + 1;
    cursor_ = std::min(above + column, begin - 1);
  } else if (!up && end < text_.size()) {
    cursor_ = std::min(end + 1 + column, std::min(text_.find(U'\n', end + 1), text_.size()));
  } else if (up && at_ > 0) {
    recall(at_ - 1);
  } else if (!up && at_ < history_.size()) {
    recall(at_ + 1);
  }
}

void LineEditor::recall(size_t at) {
  if (at_ == history_.size()) draft_ = text_;
  at_ = at;
  text_ = at == history_.size() ? draft_ : from_utf8(history_[at]);
  cursor_ = text_.size();
}

/// Characters that combine go with the one before them.
size_t LineEditor::left(size_t at) const {
  if (at > 0) --at;
  while (at > 0 && text_[at] != '\n' && text_[at] != '\t' && cells_of(text_[at]) == 0) --at;
  return at;
}

size_t LineEditor::right(size_t at) const {
  if (at < text_.size()) ++at;
  while (at < text_.size() && text_[at] != '\n' && text_[at] != '\t' && cells_of(text_[at]) == 0) ++at;
  return at;
}

size_t LineEditor::word_left() const {
  size_t at = cursor_;
  while (at > 0 && is_blank(text_[at - 1])) --at;
  while (at > 0 && !is_blank(text_[at - 1])) --at;
  return at;
}

size_t LineEditor::word_right() const {
  size_t at = cursor_;
  while (at < text_.size() && is_blank(text_[at])) ++at;
  while (at < text_.size() && !is_blank(text_[at])) ++at;
  return at;
}

ScreenRows lay_out(int prompt_cells, const std::u32string& text, size_t cursor, int columns, size_t max_rows) {
  constexpr int kTab = 4;
  ScreenRows all{{""}, {prompt_cells}, 0, 0, true};
  int column = prompt_cells;
  const auto next_row = [&] {
    all.rows.emplace_back();
    all.cells.push_back(0);
    column = 0;
  };
  for (size_t i = 0; i <= text.size(); ++i) {
    const char32_t c = i < text.size() ? text[i] : U' ';
    const int cells = c == '\t' ? kTab : cells_of(c);
    if (c != '\n' && column + cells > columns) next_row();
    if (i == cursor) {
      all.cursor_row = all.rows.size() - 1;
      all.cursor_column = column;
    }
    if (i == text.size()) break;
    if (c == '\n') {
      next_row();
      continue;
    }
    all.rows.back() += c == '\t' ? std::string(kTab, ' ') : to_utf8({&c, 1});
    column += cells;
    all.cells.back() = column;
  }
  if (all.rows.size() <= max_rows) return all;
  size_t first = all.cursor_row < max_rows / 2 ? 0 : all.cursor_row - max_rows / 2;
  first = std::min(first, all.rows.size() - max_rows);
  const auto begin = static_cast<std::ptrdiff_t>(first), end = begin + static_cast<std::ptrdiff_t>(max_rows);
  return {{all.rows.begin() + begin, all.rows.begin() + end},
          {all.cells.begin() + begin, all.cells.begin() + end},
          all.cursor_row - first,
          all.cursor_column,
          first == 0};
}

}  // namespace hearth_tool
