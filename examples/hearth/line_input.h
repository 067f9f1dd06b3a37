// Messages from a person at a terminal, with editing, or from a file or pipe.
#pragma once

#include <string>

#include "history_file.h"

namespace hearth_tool {

/// What became of a request for input.
enum class Input { kLine, kInterrupted, kEnd };

/// Whether messages are typed by a person, whose terminal shows them.
bool typed_input();
/// Whether text is waiting in standard input as in `cat f | hearth ...` and `hearth ... < f`: a pipe or a file.
bool piped_input();

/// Reads messages. Where both ends are a terminal that can move its cursor, lines are edited: the keys of Emacs,
/// history with the arrows and Ctrl-R, several lines at once with Alt-Enter or by pasting them. Elsewhere lines are
/// read as they are.
/// For as long as it lives, what is typed meanwhile is not shown; it waits for the next read.
class MessageReader {
 public:
  explicit MessageReader(std::string history_path);
  ~MessageReader();
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  /// A line that ends with a backslash goes on in the next; lines between two lines of """ are one message. The prompt
  /// is shown on a terminal only.
  Input read(const std::string& prompt, std::string& message);

 private:
  Input read_message(const std::string& prompt, std::string& message);
  Input read_line(const std::string& prompt, std::string& line);
  Input read_edited(const std::string& prompt, std::string& line);

  bool edits_;
  HistoryFile history_;
};

}  // namespace hearth_tool
