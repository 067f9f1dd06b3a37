// The terminal and the signals of the operating system, as terminal.h and the readers of input use them. One file
// implements this for each kind of system (console_posix.cpp, console_windows.cpp).
#pragma once

#include <cstdint>

#include "terminal.h"

namespace hearth_tool::console {

/// Of this process; before anything is read or printed.
void prepare();

enum class Stream { kInput, kOutput, kError };
bool is_terminal(Stream stream);
/// Whether standard input is a pipe or a file.
bool input_is_file();

/// Calls `ask` for each signal that asks the program to end, with its number, and `resize` when the window has another
/// size. A file that must not grow further is an error of the write from then on, no signal.
void on_signals(void (*ask)(int), void (*resize)());
/// Sends Ctrl-C to `interrupt` instead, until it is given back.
void take_interrupts(void (*interrupt)());
void give_interrupts_back();
/// Ends the process at once, from within a signal: the terminal is left as it was found.
[[noreturn]] void end_now(int code);

/// Whether lines can be edited: every key is read as it is, the cursor moves.
bool can_edit();
void set_key_mode(KeyMode mode);
/// Stops this job until its shell goes on with it.
void suspend();

/// Makes the C library treat text as UTF-8, whatever the environment says: widths of characters depend on it.
void use_utf8_locale();
/// Cells of a terminal that a character beyond ASCII takes: 0 to 2.
int cells_of(char32_t c);

struct Size {
  int columns = 0, rows = 0;
};
/// Of the window at standard output; 0 where it does not say.
Size window_size();

/// A byte of standard input; -1 at its end, -2 when a signal came first.
int read_byte();
/// Whether a byte is there to read within so many milliseconds. -1: a signal came first.
int wait_for_byte(int timeout_ms);

}  // namespace hearth_tool::console
