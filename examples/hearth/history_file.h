// What was typed in earlier conversations, kept in a file of the user's.
#pragma once

#include <string>
#include <vector>

namespace hearth_tool {

/// $HEARTH_HISTORY (empty: none), else hearth/chat_history below $XDG_STATE_HOME or ~/.local/state; empty: no place.
std::string history_path();

/// The last texts typed, oldest first. Where the file cannot be read or written it is a history of this process alone.
class HistoryFile {
 public:
  static constexpr size_t kMaxTexts = 1000;

  /// An empty path keeps no file.
  explicit HistoryFile(std::string path);
  const std::vector<std::string>& texts() const { return texts_; }
  /// Keeps a text, unless it is empty, begins with a blank or repeats the one before.
  void add(const std::string& text);

 private:
  void rewrite() const;

  std::string path_;
  std::vector<std::string> texts_;
};

}  // namespace hearth_tool
