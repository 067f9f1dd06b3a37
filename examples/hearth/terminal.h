// What the commands share of the terminal: one-line errors, exit codes, progress, Ctrl-C, and checked output.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "hearth/result.h"

namespace hearth_tool {

inline constexpr int kExitError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  ///< 128 + SIGINT, as shells report it

/// Writes "hearth: MESSAGE" as one line (control characters replaced) to stderr and returns kExitError.
int fail(std::string_view message);
int fail(const hearth::Error& error);
/// The same for a wrong command line; returns kExitUsage.
int fail_usage(std::string_view message);

/// The same line without an exit code, for what is odd but worked around; nothing for an empty text.
void show_warning(std::string_view message);

/// Makes Ctrl-C (and SIGTERM) ask for a clean end; a second one ends the process at once.
void catch_interrupts();
bool interrupted();
/// The same as a flag that hearth can look at while it computes.
const std::atomic<bool>* interrupt_flag();
/// Exit code for the signal that came: 130 or 143.
int interrupted_exit_code();
/// One line that says so, and that code.
int fail_interrupted(std::string_view what_follows = {});

/// A line on stderr that is rewritten in place; silent unless stderr is a terminal and more than a second has passed.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `note` follows the share ("perplexity 5.93").
  void update(uint64_t done, uint64_t total, std::string_view note = {});
  void clear();

 private:
  std::string label_;
  std::chrono::steady_clock::time_point begin_, shown_;
  bool is_terminal_, is_shown_ = false;
};

/// Writes to stdout and flushes; false (and stays false) once the output does not take it.
bool print(std::string_view text);
/// Error line and code when stdout failed at any time, else `code`.
int finish_output(int code = 0);

/// "1.23 GB" (decimal units).
std::string format_bytes(uint64_t bytes);
/// "1,234,567"
std::string format_count(int64_t n);

}  // namespace hearth_tool
