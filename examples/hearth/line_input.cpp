// Line input through libedit, or plain reads.
#include "line_input.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#ifdef HEARTH_LIBEDIT
#include <editline/readline.h>
#endif

namespace hearth_tool {
namespace {

std::atomic<bool> interrupt_pending{false};
struct sigaction previous_action;

void remember(int) {
  interrupt_pending.store(true);
}

// Without editing: byte by byte, so that nothing is left behind in a buffer after Ctrl-C.
Input read_plain(const char* prompt, std::string& line) {
  if (typed_input()) {
    std::fputs(prompt, stdout);
    std::fflush(stdout);
  }
  line.clear();
  for (char c = 0;;) {
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR && InterruptGuard::pending()) return Input::kInterrupted;
    if (n <= 0) return line.empty() ? Input::kEnd : Input::kLine;
    if (c == '\n') return Input::kLine;
    line += c;
  }
}

#ifdef HEARTH_LIBEDIT
Input read_edited(const char* prompt, std::string& line) {
  char* text = readline(prompt);
  if (InterruptGuard::pending()) {
    std::free(text);
    return Input::kInterrupted;
  }
  if (!text) return Input::kEnd;
  line = text;
  if (!line.empty()) add_history(text);
  std::free(text);
  return Input::kLine;
}
#endif

/// Without the line's end, be it of Unix or Windows.
Input read_line(const char* prompt, std::string& line) {
#ifdef HEARTH_LIBEDIT
  const bool edited = typed_input() && isatty(STDOUT_FILENO);
  const Input got = edited ? read_edited(prompt, line) : read_plain(prompt, line);
#else
  const Input got = read_plain(prompt, line);
#endif
  if (line.ends_with('\r')) line.pop_back();
  return got;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  struct sigaction action {};
  action.sa_handler = remember;  // without SA_RESTART: a read that waits ends
  sigaction(SIGINT, &action, &previous_action);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &previous_action, nullptr);
}

bool InterruptGuard::take() {
  return interrupt_pending.exchange(false);
}

const std::atomic<bool>* InterruptGuard::flag() {
  return &interrupt_pending;
}

bool InterruptGuard::pending() {
  return interrupt_pending.load();
}

Input read_message(const char* prompt, std::string& message) {
  constexpr std::string_view kFence = "\"\"\"";
  message.clear();
  std::string line;
  Input got = read_line(prompt, line);
  if (got != Input::kLine) return got;
  if (line.starts_with(kFence)) {
    message = line.substr(kFence.size());
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

bool typed_input() {
  return isatty(STDIN_FILENO) != 0;
}

}  // namespace hearth_tool
