// Terminals and signals of POSIX systems.
#include "console.h"

#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <atomic>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace hearth_tool::console {
namespace {

void (*asked_to_end)(int) = nullptr;
void (*resized)() = nullptr;
void (*interrupted_by_key)() = nullptr;
struct sigaction before_guard;

termios shell_mode;
std::atomic<bool> has_shell_mode{false};

int descriptor(Stream stream) {
  return stream == Stream::kInput ? STDIN_FILENO : stream == Stream::kOutput ? STDOUT_FILENO : STDERR_FILENO;
}

/// Without SA_RESTART: a read that waits ends.
void handle(int number, void (*handler)(int), struct sigaction* before = nullptr) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(number, &action, before);
}

}  // namespace

void prepare() {}

bool is_terminal(Stream stream) {
  return ::isatty(descriptor(stream)) != 0;
}

bool input_is_file() {
  struct stat info {};
  return ::fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode));
}

void on_signals(void (*ask)(int), void (*resize)()) {
  asked_to_end = ask;
  resized = resize;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU}) {
    handle(number, [](int n) { asked_to_end(n); });
  }
  handle(SIGXFSZ, SIG_IGN);
  handle(SIGWINCH, [](int) { resized(); });
}

void take_interrupts(void (*interrupt)()) {
  interrupted_by_key = interrupt;
  handle(
      SIGINT, [](int) { interrupted_by_key(); }, &before_guard);
}

void give_interrupts_back() {
  sigaction(SIGINT, &before_guard, nullptr);
}

void end_now(int code) {
  if (has_shell_mode) ::tcsetattr(STDIN_FILENO, TCSANOW, &shell_mode);
  _exit(code);
}

bool can_edit() {
  const char* kind = std::getenv("TERM");
  return is_terminal(Stream::kInput) && is_terminal(Stream::kOutput) && kind && *kind &&
         std::string_view(kind) != "dumb";
}

void set_key_mode(KeyMode mode) {
  if (!has_shell_mode && ::tcgetattr(STDIN_FILENO, &shell_mode) != 0) return;
  has_shell_mode = true;
  termios wanted = shell_mode;
  if (mode != KeyMode::kShell) {
    wanted.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IXON | ISTRIP);
    wanted.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
    wanted.c_cc[VMIN] = 1;
    wanted.c_cc[VTIME] = 0;
  }
  if (mode == KeyMode::kEdit) wanted.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted);
}

void suspend() {
  ::kill(0, SIGTSTP);
}

void use_utf8_locale() {
  for (const char* name : {"", "C.UTF-8", "C.utf8", "en_US.UTF-8"}) {
    if (std::setlocale(LC_CTYPE, name) && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return;
  }
}

int cells_of(char32_t c) {
  const int cells = ::wcwidth(static_cast<wchar_t>(c));
  return cells < 0 ? 1 : cells;
}

Size window_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

int read_byte() {
  unsigned char byte = 0;
  const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
  if (n == 1) return byte;
  return n < 0 && (errno == EINTR || errno == EAGAIN) ? -2 : -1;
}

int wait_for_byte(int timeout_ms) {
  pollfd waits{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&waits, 1, timeout_ms);
  return ready < 0 && errno == EINTR ? -1 : ready > 0;
}

}  // namespace hearth_tool::console
