// Bytes to keys, as xterm and its descendants send them.
#include "key_reader.h"

#include "console.h"
#include "text_width.h"

namespace hearth_tool {
namespace {

using Kind = Key::Kind;

constexpr int kForever = -1;
constexpr int kSequenceMs = 50;  ///< within which the rest of an escape sequence comes
constexpr int kPasteMs = 2000;
constexpr size_t kMaxPaste = size_t{16} << 20;

Kind control_key(int byte) {
  switch (byte) {
    case 0x01: return Kind::kHome;
    case 0x02: return Kind::kLeft;
    case 0x03: return Kind::kInterrupt;
    case 0x04: return Kind::kEndOfText;
    case 0x05: return Kind::kEnd;
    case 0x06: return Kind::kRight;
    case 0x07: return Kind::kCancel;
    case 0x08:
    case 0x7F: return Kind::kBackspace;
    case '\n':
    case '\r': return Kind::kEnter;
    case 0x0B: return Kind::kCutAfter;
    case 0x0C: return Kind::kClearScreen;
    case 0x0E: return Kind::kDown;
    case 0x10: return Kind::kUp;
    case 0x12: return Kind::kSearch;
    case 0x14: return Kind::kTranspose;
    case 0x15: return Kind::kCutBefore;
    case 0x17: return Kind::kCutWord;
    case 0x19: return Kind::kInsertCut;
    case 0x1A: return Kind::kSuspend;
    default: return Kind::kOther;
  }
}

/// What stands between ESC [ and the last letter, with that letter.
Kind sequence_key(const std::string& s) {
  static constexpr struct {
    const char* text;
    Kind kind;
  } kSequences[] = {
      {"A", Kind::kUp},           {"B", Kind::kDown},        {"C", Kind::kRight},         {"D", Kind::kLeft},
      {"H", Kind::kHome},         {"F", Kind::kEnd},         {"1~", Kind::kHome},         {"7~", Kind::kHome},
      {"4~", Kind::kEnd},         {"8~", Kind::kEnd},        {"3~", Kind::kDelete},       {"1;5C", Kind::kWordRight},
      {"1;3C", Kind::kWordRight}, {"1;5D", Kind::kWordLeft}, {"1;3D", Kind::kWordLeft},   {"3;5~", Kind::kCutNextWord},
      {"13;2u", Kind::kNewLine},  {"13;3u", Kind::kNewLine}, {"27;2;13~", Kind::kNewLine}};
  for (const auto& [text, kind] : kSequences) {
    if (s == text) return kind;
  }
  return Kind::kOther;
}

/// \r\n and \r are line ends; other control characters are left out, for they would steer the terminal.
std::u32string clean_paste(const std::string& bytes) {
  std::u32string out;
  char32_t before = 0;
  for (const char32_t c : from_utf8(bytes)) {
    const bool is_end = c == '\r' || (c == '\n' && before != '\r');
    before = c;
    if (is_end) out += U'\n';
    if (c == '\t' || (c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0))) out += c;
  }
  return out;
}

}  // namespace

int KeyReader::read_byte(int timeout_ms) {
  for (;;) {
    if (interrupted()) closed_ = true;
    if (take_resize()) resized_ = true;
    if (closed_ || (resized_ && timeout_ms == kForever)) return -1;
    const int ready = console::wait_for_byte(timeout_ms == kForever ? 500 : timeout_ms);
    if (ready < 0) continue;
    if (ready == 0 && timeout_ms == kForever) continue;
    if (ready == 0) return -1;
    const int byte = console::read_byte();
    if (byte >= 0) return byte;
    closed_ = byte != -2;
  }
}

bool KeyReader::has_more() const {
  return console::wait_for_byte(0) > 0;
}

Key KeyReader::next() {
  const int byte = read_byte(kForever);
  if (byte < 0) {
    if (closed_) return {Kind::kClosed};
    resized_ = false;
    return {Kind::kResize};
  }
  if (byte == 0x1B) return escape();
  if (byte == '\t') return {Kind::kText, U" "};
  if (byte < 0x20 || byte == 0x7F) return {control_key(byte)};
  return letter(byte);
}

Key KeyReader::letter(int first) {
  std::string bytes(1, static_cast<char>(first));
  const int length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
  while (static_cast<int>(bytes.size()) < length) {
    const int byte = read_byte(kSequenceMs);
    if (byte < 0) break;
    bytes += static_cast<char>(byte);
  }
  return {Kind::kText, from_utf8(bytes)};
}

Key KeyReader::escape() {
  const int byte = read_byte(kSequenceMs);
  switch (byte) {
    case -1: return {Kind::kCancel};
    case '[': return sequence();
    case 'O': return {sequence_key(std::string(1, static_cast<char>(read_byte(kSequenceMs))))};
    case '\r':
    case '\n': return {Kind::kNewLine};
    case 'b': return {Kind::kWordLeft};
    case 'f': return {Kind::kWordRight};
    case 'd': return {Kind::kCutNextWord};
    case 0x08:
    case 0x7F: return {Kind::kCutWord};
    default: return {Kind::kOther};
  }
}

Key KeyReader::sequence() {
  std::string text;
  for (int byte = 0; text.size() < 16 && (byte = read_byte(kSequenceMs)) >= 0;) {
    text += static_cast<char>(byte);
    if (byte >= 0x40 && byte <= 0x7E) break;
  }
  return text == "200~" ? paste() : Key{sequence_key(text)};
}

Key KeyReader::paste() {
  constexpr std::string_view kEnd = "\033[201~";
  std::string bytes;
  for (int byte = 0; bytes.size() < kMaxPaste && (byte = read_byte(kPasteMs)) >= 0;) {
    bytes += static_cast<char>(byte);
    if (!bytes.ends_with(kEnd)) continue;
    bytes.resize(bytes.size() - kEnd.size());
    break;
  }
  return {Kind::kPaste, clean_paste(bytes)};
}

}  // namespace hearth_tool
