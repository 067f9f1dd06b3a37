// Errors, progress, signals, colors and output of the tool.
#include "terminal.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "console.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

std::atomic<int> caught_signal{0};
std::atomic<bool> is_interrupted{false}, is_resized{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
int output_errno = 0;

void on_signal(int number) {
  if (caught_signal.exchange(number) != 0) console::end_now(128 + number);
  is_interrupted = true;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool has_colors() {
  static const bool result = [] {
    const char* off = std::getenv("NO_COLOR");
    const char* kind = std::getenv("TERM");
    return console::is_terminal(console::Stream::kOutput) && !(off && *off) && kind && *kind &&
           std::strcmp(kind, "dumb") != 0;
  }();
  return result;
}

/// Bytes of an error line at most, with "hearth: " before and the line's end after it.
constexpr size_t kMaxMessage = 512 - 9;

}  // namespace

int fail(std::string_view message) {
  const std::string line = "hearth: " + printable(message, false, kMaxMessage) + '\n';
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
  console::on_signals(on_signal, [] { is_resized = true; });
}

InterruptGuard::InterruptGuard() {
  console::take_interrupts([] { is_interrupted = true; });
}

InterruptGuard::~InterruptGuard() {
  console::give_interrupts_back();
}

bool InterruptGuard::take() {
  return interrupted() || is_interrupted.exchange(false);
}

bool InterruptGuard::pending() {
  return is_interrupted.load();
}

void set_key_mode(KeyMode mode) {
  console::set_key_mode(mode);
}

bool take_resize() {
  return is_resized.exchange(false);
}

int terminal_columns() {
  const int columns = console::window_size().columns;
  return columns > 1 ? columns : 80;
}

int terminal_rows() {
  const int rows = console::window_size().rows;
  return rows > 1 ? rows : 24;
}

std::string style_on(Style style) {
  if (!has_colors()) return {};
  switch (style) {
    case Style::kPrompt: return "\033[1;32m";
    case Style::kNote: return "\033[2m";
    case Style::kThinking: return "\033[2;3m";
    case Style::kToolCall: return "\033[36m";
  }
  return {};
}

std::string style_off() {
  return has_colors() ? "\033[0m" : "";
}

std::string styled(Style style, std::string_view text) {
  return style_on(style) + std::string(text) + style_off();
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

Progress::Progress(std::string label) : label_(std::move(label)) {
  if (console::is_terminal(console::Stream::kError)) thread_ = std::thread([this] { show_regularly(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  clear();
  {
    const std::lock_guard lock(mutex_);
    is_done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::show_regularly() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, std::chrono::milliseconds(is_shown_ ? 100 : 500), [this] { return is_done_; })) {
    if (!is_active_) continue;
    std::fprintf(stderr, "\r%s", label_.c_str());
    if (percent_ >= 0) std::fprintf(stderr, " %.0f%%", percent_);
    if (!note_.empty()) std::fprintf(stderr, ", %s", note_.c_str());
    std::fprintf(stderr, ", %.1f s\033[K", seconds_since(begin_));
    is_shown_ = true;
  }
}

void Progress::update(uint64_t done, uint64_t total, std::string_view note) {
  const std::lock_guard lock(mutex_);
  percent_ = total > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 100.0;
  note_ = note;
  is_active_ = true;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (is_shown_) std::fputs("\r\033[K", stderr);
  is_shown_ = is_active_ = false;
}

bool print(std::string_view text) {
  if (output_errno != 0) return false;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return true;
  output_errno = errno != 0 ? errno : EIO;
  return false;
}

bool print_foreign(std::string_view text) {
  static const bool is_terminal = console::is_terminal(console::Stream::kOutput);
  return print(is_terminal ? printable(text, true) : std::string(text));
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
