// Lines typed by a person: editing and history where libedit is there, several lines as one message.
#pragma once

#include <atomic>
#include <string>

namespace hearth_tool {

/// What became of a request for input.
enum class Input { kLine, kInterrupted, kEnd };

/// Handles Ctrl-C for as long as it lives: it is remembered, and ends nothing.
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
  /// The same as a flag that hearth can look at while it computes.
  static const std::atomic<bool>* flag();
};

/// Reads a message. A line that ends with a backslash goes on in the next; lines between two lines of """ are one
/// message. The prompt is shown on a terminal only.
Input read_message(const char* prompt, std::string& message);

/// Whether messages are typed by a person, whose terminal shows them.
bool typed_input();

}  // namespace hearth_tool
