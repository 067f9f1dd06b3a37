// Consoles of Windows. Texts are UTF-8: the manifest beside this file asks for it, the console is told here. Lines are
// edited by the console itself.
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
// after it
#include <fcntl.h>
#include <io.h>
#include <signal.h>
#include <stdio.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "console.h"

namespace hearth_tool::console {
namespace {

void (*asked_to_end)(int) = nullptr;
std::atomic<void (*)()> interrupted_by_key{nullptr};

HANDLE handle_of(Stream stream) {
  return GetStdHandle(stream == Stream::kInput    ? STD_INPUT_HANDLE
                      : stream == Stream::kOutput ? STD_OUTPUT_HANDLE
                                                  : STD_ERROR_HANDLE);
}

/// In a thread of its own.
BOOL WINAPI on_control(DWORD event) {
  if (const auto interrupt = interrupted_by_key.load(); interrupt != nullptr && event == CTRL_C_EVENT) {
    interrupt();
  } else {
    asked_to_end(event == CTRL_C_EVENT ? SIGINT : SIGTERM);
  }
  return TRUE;
}

/// What a person typed, a line at a time, as UTF-8. Empty at the end of input (Ctrl-Z), or after Ctrl-C.
std::string read_console() {
  wchar_t text[512];
  DWORD n = 0;
  if (!ReadConsoleW(handle_of(Stream::kInput), text, 512, &n, nullptr) || n == 0 || text[0] == L'\x1A') return {};
  std::string bytes(size_t{3} * n, '\0');
  const int n_bytes = WideCharToMultiByte(CP_UTF8, 0, text, static_cast<int>(n), bytes.data(),
                                          static_cast<int>(bytes.size()), nullptr, nullptr);
  bytes.resize(static_cast<size_t>(n_bytes));
  return bytes;
}

}  // namespace

void prepare() {
  SetConsoleCP(CP_UTF8);
  SetConsoleOutputCP(CP_UTF8);
  for (const Stream stream : {Stream::kOutput, Stream::kError}) {
    DWORD mode = 0;
    if (GetConsoleMode(handle_of(stream), &mode)) {
      SetConsoleMode(handle_of(stream), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    }
  }
  // Files and pipes get the bytes that other systems get.
  for (FILE* file : {stdin, stdout, stderr}) _setmode(_fileno(file), _O_BINARY);
}

bool is_terminal(Stream stream) {
  DWORD mode = 0;
  return GetConsoleMode(handle_of(stream), &mode) != 0;
}

bool input_is_file() {
  const DWORD type = GetFileType(handle_of(Stream::kInput));
  return type == FILE_TYPE_DISK || type == FILE_TYPE_PIPE;
}

void on_signals(void (*ask)(int), void (* /*resize*/)()) {
  asked_to_end = ask;
  SetConsoleCtrlHandler(on_control, TRUE);
}

void take_interrupts(void (*interrupt)()) {
  interrupted_by_key = interrupt;
}

void give_interrupts_back() {
  interrupted_by_key = nullptr;
}

void end_now(int code) {
  ExitProcess(static_cast<UINT>(code));
}

bool can_edit() {
  return false;
}

void set_key_mode(KeyMode /*mode*/) {}

void suspend() {}

void use_utf8_locale() {}

int cells_of(char32_t c) {
  static constexpr struct {
    char32_t first, last;
    int cells;
  } kRanges[] = {{0x0300, 0x036F, 0},   {0x1100, 0x115F, 2},   {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},
                 {0x2E80, 0x303E, 2},   {0x3041, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},
                 {0xFE00, 0xFE0F, 0},   {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},
                 {0x1F300, 0x1F64F, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2}, {0xE0100, 0xE01EF, 0}};
  for (const auto& range : kRanges) {
    if (c >= range.first && c <= range.last) return range.cells;
  }
  return 1;
}

Size window_size() {
  CONSOLE_SCREEN_BUFFER_INFO info;
  if (!GetConsoleScreenBufferInfo(handle_of(Stream::kOutput), &info)) return {};
  return {info.srWindow.Right - info.srWindow.Left + 1, info.srWindow.Bottom - info.srWindow.Top + 1};
}

int read_byte() {
  static std::string line;
  static size_t next = 0;
  if (!is_terminal(Stream::kInput)) {
    unsigned char byte = 0;
    return _read(_fileno(stdin), &byte, 1) == 1 ? byte : -1;
  }
  if (next == line.size()) {
    line = read_console();
    next = 0;
    if (line.empty()) {
      Sleep(20);  // Ctrl-C reaches its own thread meanwhile
      return GetLastError() == ERROR_OPERATION_ABORTED ? -2 : -1;
    }
  }
  return static_cast<unsigned char>(line[next++]);
}

int wait_for_byte(int timeout_ms) {
  return WaitForSingleObject(handle_of(Stream::kInput), static_cast<DWORD>(timeout_ms)) == WAIT_OBJECT_0;
}

}  // namespace hearth_tool::console
