// Errors, progress, signals and output of the tool.
#include "terminal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hearth_tool {
namespace {

std::atomic<int> caught_signal{0};
std::atomic<bool> is_interrupted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
int output_errno = 0;

void on_signal(int number) {
  if (caught_signal.exchange(number) != 0) _exit(128 + number);
  is_interrupted = true;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int fail(std::string_view message) {
  std::string line = "hearth: ";
  for (char c : message) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  line += '\n';
  std::fflush(stdout);
  std::fputs(line.c_str(), stderr);
  return kExitError;
}

void show_warning(std::string_view message) {
  if (!message.empty()) fail(message);
}

int fail(const hearth::Error& error) {
  return fail(std::string_view(error.message));
}

int fail_usage(std::string_view message) {
  fail(message);
  return kExitUsage;
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return caught_signal.load(std::memory_order_relaxed) != 0;
}

const std::atomic<bool>* interrupt_flag() {
  return &is_interrupted;
}

int interrupted_exit_code() {
  return 128 + caught_signal.load();
}

int fail_interrupted(std::string_view what_follows) {
  fail("interrupted" + std::string(what_follows));
  return interrupted_exit_code();
}

Progress::Progress(std::string label)
    : label_(std::move(label)), begin_(std::chrono::steady_clock::now()), shown_(begin_), is_terminal_(isatty(2)) {}

Progress::~Progress() {
  clear();
}

void Progress::update(uint64_t done, uint64_t total, std::string_view note) {
  if (!is_terminal_ || seconds_since(begin_) < 1 || (is_shown_ && seconds_since(shown_) < 0.1)) return;
  const double percent = total > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 100.0;
  std::fprintf(stderr, "\r%s %.0f%%%s%.*s\033[K", label_.c_str(), percent, note.empty() ? "" : ", ",
               static_cast<int>(note.size()), note.data());
  is_shown_ = true;
  shown_ = std::chrono::steady_clock::now();
}

void Progress::clear() {
  if (is_shown_) std::fputs("\r\033[K", stderr);
  is_shown_ = false;
}

bool print(std::string_view text) {
  if (output_errno != 0) return false;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return true;
  output_errno = errno != 0 ? errno : EIO;
  return false;
}

int finish_output(int code) {
  if (output_errno == 0 && std::fflush(stdout) != 0) output_errno = errno;
  if (output_errno == 0) return code;
  return fail(std::string("cannot write to standard output: ") + std::strerror(output_errno));
}

std::string format_bytes(uint64_t bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
  return text;
}

std::string format_count(int64_t n) {
  const std::string digits = std::to_string(n);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

}  // namespace hearth_tool
