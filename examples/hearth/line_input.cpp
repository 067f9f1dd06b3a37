// Lines from a terminal, drawn again after every key; or plain reads.
#include "line_input.h"

#include <algorithm>
#include <string_view>

#include "console.h"
#include "line_editor.h"
#include "terminal.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

/// Where pastes begin and end is marked by the terminal while this is on.
void mark_pastes(bool on) {
  print(on ? "\033[?2004h" : "\033[?2004l");
}

/// Draws a text that is being edited over what was drawn of it before.
class Painter {
 public:
  void paint(const std::string& prompt, bool is_styled, const LineEditor& editor) {
    const int columns = terminal_columns(), rows = std::max(terminal_rows(), 2);
    const ScreenRows screen =
        lay_out(cells_of(from_utf8(prompt)), editor.shown(), editor.cursor(), columns, static_cast<size_t>(rows) - 1);
    std::string out = back_to_first_row(columns);
    for (size_t i = 0; i < screen.rows.size(); ++i) {
      if (i > 0) out += '\n';
      if (i == 0 && screen.has_prompt) out += is_styled ? styled(Style::kPrompt, prompt) : prompt;
      out += screen.rows[i];
    }
    if (screen.rows.size() - 1 > screen.cursor_row) {
      out += "\033[" + std::to_string(screen.rows.size() - 1 - screen.cursor_row) + "A";
    }
    out += '\r';
    if (screen.cursor_column > 0) out += "\033[" + std::to_string(screen.cursor_column) + "C";
    print(out);
    drawn_ = screen;
  }

  /// Leaves the cursor below the text.
  void end() {
    std::string out;
    for (size_t i = drawn_.cursor_row; i + 1 < drawn_.rows.size(); ++i) out += "\033[B";
    print(out + '\n');
    drawn_ = {};
  }
  void clear_screen() {
    print("\033[H\033[2J");
    drawn_ = {};
  }

 private:
  /// A window that became narrower has broken rows in two.
  std::string back_to_first_row(int columns) const {
    const auto broken = [&](int cells) { return cells > 0 ? (cells - 1) / columns : 0; };
    int up = static_cast<int>(drawn_.cursor_row) + broken(drawn_.cursor_column);
    for (size_t i = 0; i < drawn_.cursor_row; ++i) up += broken(drawn_.cells[i]);
    return (up > 0 ? "\033[" + std::to_string(up) + "A" : std::string()) + "\r\033[J";
  }

  ScreenRows drawn_;
};

/// Byte by byte, so that nothing is left behind in a buffer after Ctrl-C.
Input read_plain(const std::string& prompt, std::string& line) {
  if (typed_input()) print(prompt);
  line.clear();
  for (;;) {
    const int byte = console::read_byte();
    if (byte == -2 && interrupted()) return Input::kEnd;
    if (byte == -2 && InterruptGuard::pending()) return Input::kInterrupted;
    if (byte == -2) continue;
    if (byte < 0) return line.empty() ? Input::kEnd : Input::kLine;
    if (byte == '\n') return Input::kLine;
    line += static_cast<char>(byte);
  }
}

}  // namespace

bool typed_input() {
  return console::is_terminal(console::Stream::kInput);
}

bool piped_input() {
  return console::input_is_file();
}

MessageReader::MessageReader(std::string history_path)
    : edits_(console::can_edit()), history_(edits_ ? std::move(history_path) : std::string()) {
  if (edits_) set_key_mode(KeyMode::kSilent);
}

MessageReader::~MessageReader() {
  if (edits_) set_key_mode(KeyMode::kShell);
}

Input MessageReader::read_edited(const std::string& prompt, std::string& line) {
  set_key_mode(KeyMode::kEdit);
  mark_pastes(true);
  KeyReader keys;
  LineEditor editor(history_.texts());
  Painter painter;
  LineEditor::State state = LineEditor::State::kEditing;
  for (;;) {
    if (!keys.has_more() || state != LineEditor::State::kEditing) {
      const std::string search = editor.search_prompt();
      painter.paint(search.empty() ? prompt : search, search.empty(), editor);
    }
    if (state != LineEditor::State::kEditing) break;
    const Key key = keys.next();
    if (key.kind == Key::Kind::kClearScreen) painter.clear_screen();
    if (key.kind == Key::Kind::kSuspend) {
      painter.end();
      mark_pastes(false);
      set_key_mode(KeyMode::kShell);
      console::suspend();
      set_key_mode(KeyMode::kEdit);
      mark_pastes(true);
    }
    state = editor.handle(key);
  }
  painter.end();
  mark_pastes(false);
  set_key_mode(KeyMode::kSilent);
  line = editor.text();
  switch (state) {
    case LineEditor::State::kInterrupted: return Input::kInterrupted;
    case LineEditor::State::kEnd: return Input::kEnd;
    default: return Input::kLine;
  }
}

/// Without the line's end, be it of Unix or Windows.
Input MessageReader::read_line(const std::string& prompt, std::string& line) {
  const Input got = edits_ ? read_edited(prompt, line) : read_plain(prompt, line);
  if (line.ends_with('\r')) line.pop_back();
  return got;
}

Input MessageReader::read(const std::string& prompt, std::string& message) {
  const Input got = read_message(prompt, message);
  if (got == Input::kLine && edits_) history_.add(message);
  return got;
}

Input MessageReader::read_message(const std::string& prompt, std::string& message) {
  constexpr std::string_view kFence = "\"\"\"";
  message.clear();
  std::string line;
  Input got = read_line(prompt, line);
  if (got != Input::kLine) return got;
  if (line.starts_with(kFence)) {
    message = line.substr(kFence.size());
    if (message.size() >= kFence.size() && message.ends_with(kFence)) {
      message.resize(message.size() - kFence.size());
      return Input::kLine;
    }
    while ((got = read_line("... ", line)) == Input::kLine) {
      const bool last = line.ends_with(kFence);
      if (last) line.resize(line.size() - kFence.size());
      if (!message.empty() && !(last && line.empty())) message += '\n';
      message += line;
      if (last) return Input::kLine;
    }
    return got == Input::kEnd ? Input::kLine : got;
  }
  while (line.ends_with('\\')) {
    line.back() = '\n';
    message += line;
    got = read_line("... ", line);
    if (got == Input::kInterrupted) return got;
    if (got == Input::kEnd) break;
  }
  message += line;
  return Input::kLine;
}

}  // namespace hearth_tool
