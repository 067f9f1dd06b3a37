// Editing a text: what each key does to it, and where it stands on the screen. Knows no terminal.
#pragma once

#include <string>
#include <vector>

#include "key_reader.h"

namespace hearth_tool {

class LineEditor {
 public:
  enum class State { kEditing, kDone, kInterrupted, kEnd };

  /// Earlier texts, oldest first, which must outlive the editor.
  explicit LineEditor(const std::vector<std::string>& history) : history_(history), at_(history.size()) {}

  /// What became of the text with this key. kResize, kClearScreen and kSuspend are the caller's.
  State handle(const Key& key);
  std::string text() const;
  /// What is shown: in a search, the text that was found and the cursor in it.
  const std::u32string& shown() const { return text_; }
  size_t cursor() const { return cursor_; }
  /// What stands before the text in place of the prompt; empty: the prompt.
  std::string search_prompt() const;

 private:
  bool handle_search(const Key& key);
  void edit(const Key& key);
  void insert(const std::u32string& text);
  void cut(size_t begin, size_t end);
  void move_vertically(bool up);
  void recall(size_t at);
  void find(size_t before);
  size_t left(size_t at) const;
  size_t right(size_t at) const;
  size_t word_left() const;
  size_t word_right() const;

  const std::vector<std::string>& history_;
  size_t at_;  ///< the text of history that is edited; its size: the new one
  std::u32string text_, cut_, draft_;
  size_t cursor_ = 0;
  bool searching_ = false, found_ = true;
  std::u32string query_, before_search_;
};

/// A text on rows of a terminal.
struct ScreenRows {
  std::vector<std::string> rows;
  std::vector<int> cells;  ///< of each row
  size_t cursor_row = 0;
  int cursor_column = 0;
  bool has_prompt = true;  ///< the first row is that of the prompt, not a later one
};

/// Lays a text out behind a prompt of `prompt_cells`; at most `max_rows` rows, those around the cursor. A tab takes
/// four cells.
ScreenRows lay_out(int prompt_cells, const std::u32string& text, size_t cursor, int columns, size_t max_rows);

}  // namespace hearth_tool
