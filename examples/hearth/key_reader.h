// Keys of a terminal: bytes that it sends, as characters, editing keys and pasted texts.
#pragma once

#include <string>

namespace hearth_tool {

struct Key {
  enum class Kind {
    kText,   ///< characters that were typed
    kPaste,  ///< a pasted text, line ends included
    kEnter,
    kNewLine,  ///< Alt-Enter: a line end within the text
    kBackspace,
    kDelete,
    kLeft,
    kRight,
    kWordLeft,
    kWordRight,
    kUp,
    kDown,
    kHome,
    kEnd,
    kCutBefore,  ///< Ctrl-U
    kCutAfter,   ///< Ctrl-K
    kCutWord,    ///< Ctrl-W, Alt-Backspace
    kCutNextWord,
    kInsertCut,  ///< Ctrl-Y
    kTranspose,
    kSearch,  ///< Ctrl-R
    kClearScreen,
    kInterrupt,  ///< Ctrl-C
    kEndOfText,  ///< Ctrl-D
    kSuspend,    ///< Ctrl-Z
    kCancel,     ///< Ctrl-G, or Escape alone
    kResize,     ///< the window has another size
    kClosed,     ///< the terminal is gone, or a signal asks the program to end
    kOther,
  };
  Kind kind = Kind::kOther;
  std::u32string text{};
};

/// Reads from standard input, a terminal in raw mode.
class KeyReader {
 public:
  /// Waits for a key.
  Key next();
  /// True when more was typed already, so that it is too early to draw.
  bool has_more() const;

 private:
  int read_byte(int timeout_ms);  ///< -1: none, or the end; see closed_ and resized_
  Key escape();
  Key sequence();
  Key paste();
  Key letter(int first);

  bool closed_ = false, resized_ = false;
};

}  // namespace hearth_tool
