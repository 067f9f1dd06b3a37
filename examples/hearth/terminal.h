// What the commands share of the terminal: one-line errors, exit codes, progress, signals, colors, and checked output.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "hearth/result.h"

namespace hearth_tool {

inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  ///< 128 + SIGINT, as shells report it

/// Writes "hearth: MESSAGE" as one printable line of at most 512 bytes to stderr and returns kExitError.
int fail(std::string_view message);
int fail(const hearth::Error& error);
/// The same for a wrong command line; returns kExitUsage.
int fail_usage(std::string_view message);

/// The same line without an exit code, for what is odd but worked around; nothing for an empty text.
void show_warning(std::string_view message);

/// Makes Ctrl-C and the other signals that ask a program to end (TERM, HUP, QUIT, XCPU) ask for a clean end; a second
/// one ends the process at once. A file that must not grow further is an error of the write instead of a signal.
void catch_interrupts();
/// Whether such a signal came.
bool interrupted();
/// A flag that is set then, for hearth to look at while it computes. Under an InterruptGuard Ctrl-C sets it too.
const std::atomic<bool>* interrupt_flag();
/// Exit code for the signal that came: 130 or 143.
int interrupted_exit_code();
/// One line that says so, and that code.
int fail_interrupted(std::string_view what_follows = {});

/// For as long as it lives Ctrl-C is remembered and ends nothing but what looks at interrupt_flag(); after
/// catch_interrupts().
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  /// True once after Ctrl-C was pressed.
  static bool take();
  /// True since Ctrl-C was pressed.
  static bool pending();
};

/// How standard input, a terminal, treats keys. The shell's mode comes back when a second signal ends the process.
enum class KeyMode {
  kShell,   ///< as it was when the program began
  kSilent,  ///< keys wait to be read and are not shown; Ctrl-C is a signal
  kEdit,    ///< every key is read as it is, Ctrl-C and Ctrl-Z too
};
void set_key_mode(KeyMode mode);

/// True once after the terminal's window changed its size.
bool take_resize();
/// Size of the terminal at standard output; 80 x 24 where it does not say.
int terminal_columns();
int terminal_rows();

/// Colors of a terminal: none when standard output is not one, when NO_COLOR is set, or TERM is "dumb".
enum class Style { kPrompt, kNote, kThinking, kToolCall };
std::string style_on(Style style);
std::string style_off();
std::string styled(Style style, std::string_view text);

/// A line on stderr that is rewritten in place while something takes long: the part done, and the seconds since it
/// began. Silent unless stderr is a terminal and half a second has passed.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `note` follows the share ("perplexity 5.93").
  /// `note`: what else to show.
  void update(uint64_t done, uint64_t total, std::string_view note = {});
  /// Takes the line away until the next update.
  void clear();

 private:
  void show_regularly();

  std::string label_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::mutex mutex_;  ///< of what follows, which the thread looks at
  std::condition_variable ended_;
  bool is_done_ = false, is_active_ = true, is_shown_ = false;
  double percent_ = -1;
  std::string note_;
  std::thread thread_;
};

/// Writes to stdout and flushes; false (and stays false) once the output does not take it.
bool print(std::string_view text);
/// The same for text that a model or a file brought: on a terminal its control characters are escaped.
bool print_foreign(std::string_view text);
/// Error line and code when stdout failed at any time, else `code`.
int finish_output(int code = 0);

/// "1.23 GB" (decimal units).
std::string format_bytes(uint64_t bytes);
/// "1,234,567"
std::string format_count(int64_t n);

}  // namespace hearth_tool
