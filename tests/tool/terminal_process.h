// Runs the built command-line tool in a pseudo-terminal, as a person at a keyboard would, and keeps what it shows.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/paths.h"

namespace hearth::testing {

class TerminalProcess {
 public:
  struct Setting {
    unsigned short columns = 80, rows = 24;
    std::string lang = "C.UTF-8";
    std::string history{};  ///< HEARTH_HISTORY; empty: none is kept
    bool colors = false;
  };

  TerminalProcess(const std::vector<std::string>& arguments, const Setting& setting) {
    const winsize size{setting.rows, setting.columns, 0, 0};
    child_ = forkpty(&terminal_, nullptr, nullptr, &size);
    if (child_ == 0) start(arguments, setting);
  }
  explicit TerminalProcess(const std::vector<std::string>& arguments) : TerminalProcess(arguments, Setting()) {}
  ~TerminalProcess() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(terminal_);
  }
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;

  void type(const std::string& keys) { ASSERT_EQ(write(terminal_, keys.data(), keys.size()), (ssize_t)keys.size()); }

  /// Waits until `text` was shown after what an earlier call waited for; false after 10 s. seen() is what came by then.
  bool shows(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      const size_t at = all_.find(text, from_);
      if (at != std::string::npos) {
        seen_ = all_.substr(from_, at + text.size() - from_);
        from_ = at + text.size();
        return true;
      }
      if (std::chrono::steady_clock::now() > end || !read_more(500)) {
        if (is_closed_ || std::chrono::steady_clock::now() > end) return false;
      }
    }
  }
  const std::string& seen() const { return seen_; }
  const std::string& all() const { return all_; }

  void resize(unsigned short columns, unsigned short rows) {
    const winsize size{rows, columns, 0, 0};
    ioctl(terminal_, TIOCSWINSZ, &size);
  }
  void send_signal(int number) { kill(child_, number); }

  /// Reads to the end. The exit code; -1 when a signal ended it, be it that which comes after 10 s.
  int wait() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_closed_ && std::chrono::steady_clock::now() < end) read_more(500);
    if (!is_closed_) kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  [[noreturn]] static void start(std::vector<std::string> arguments, const Setting& setting) {
    setenv("TERM", "xterm", 1);
    setenv("LANG", setting.lang.c_str(), 1);
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    setenv("HEARTH_HISTORY", setting.history.c_str(), 1);
    if (setting.colors) {
      unsetenv("NO_COLOR");
    } else {
      setenv("NO_COLOR", "1", 1);
    }
    arguments.insert(arguments.begin(), hearth::testing::tool_path());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }

  bool read_more(int timeout_ms) {
    pollfd waits{terminal_, POLLIN, 0};
    if (poll(&waits, 1, timeout_ms) <= 0) return false;
    char buffer[4096];
    const ssize_t n = read(terminal_, buffer, sizeof buffer);
    if (n <= 0) is_closed_ = true;
    if (n > 0) all_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

  int terminal_ = -1;
  pid_t child_ = -1;
  std::string all_, seen_;
  size_t from_ = 0;
  bool is_closed_ = false;
};

}  // namespace hearth::testing
