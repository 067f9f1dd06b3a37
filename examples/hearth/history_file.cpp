// One text a line; \n and \\ stand for line ends and backslashes within a text.
#include "history_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../store/system.h"
#include "output_file.h"

namespace hearth_tool {
namespace {

namespace fs = std::filesystem;

std::string escape(const std::string& text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  return line + "\n";
}

std::string unescape(const std::string& line) {
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool escaped = line[i] == '\\' && i + 1 < line.size();
    if (escaped) ++i;
    text += escaped && line[i] == 'n' ? '\n' : line[i];
  }
  return text;
}

void append_line(const std::string& path, const std::string& line) {
  const int file = hearth_store::open_file(hearth_store::path_of(path), hearth_store::Open::kAppend);
  if (file < 0) return;
  if (!hearth_store::write_file(file, line)) { /* a history of this process alone */
  }
  hearth_store::close_file(file);
}

}  // namespace

std::string history_path() {
  if (std::getenv("HEARTH_HISTORY") != nullptr) return hearth_store::environment("HEARTH_HISTORY");
  const std::string state = hearth_store::environment("XDG_STATE_HOME");
  if (state.starts_with('/')) return state + "/hearth/chat_history";
  const std::string home = hearth_store::home_folder();
  return home.starts_with('/') ? home + "/.local/state/hearth/chat_history" : std::string();
}

HistoryFile::HistoryFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  std::ifstream in(hearth_store::path_of(path_), std::ios::binary);
  size_t n_lines = 0;
  for (std::string line; std::getline(in, line); ++n_lines) texts_.push_back(unescape(line));
  if (texts_.size() > kMaxTexts) texts_.erase(texts_.begin(), texts_.end() - kMaxTexts);
  if (n_lines > 2 * kMaxTexts) rewrite();
}

void HistoryFile::rewrite() const {
  OutputFile file;
  std::string all;
  for (const std::string& text : texts_) all += escape(text);
  if (!file.open(path_) || !file.write(std::as_bytes(std::span(all)))) return;
  if (!file.commit()) return;
}

void HistoryFile::add(const std::string& text) {
  if (text.empty() || text.front() == ' ' || (!texts_.empty() && texts_.back() == text)) return;
  texts_.push_back(text);
  if (path_.empty()) return;
  std::error_code error;
  const fs::path folder = hearth_store::path_of(path_).parent_path();
  if (!folder.empty() && !fs::exists(folder, error)) {
    fs::create_directories(folder, error);
    fs::permissions(folder, fs::perms::owner_all, error);
  }
  append_line(path_, escape(text));
}

}  // namespace hearth_tool
