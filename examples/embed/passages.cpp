// Files to paragraphs.
#include "passages.h"

#include <algorithm>
#include <fstream>

namespace {

constexpr size_t kMaxPassage = 1200;  ///< characters; longer paragraphs are cut at a line

void read_file(std::vector<Passage>& passages, const std::filesystem::path& path, const std::string& name) {
  std::ifstream in(path, std::ios::binary);
  Passage open{name, 0, ""};
  size_t number = 0;
  const auto close = [&] {
    if (!open.text.empty()) passages.push_back(open);
    open.text.clear();
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    const bool blank = line.find_first_not_of(" \t\r") == std::string::npos;
    if (blank || open.text.size() + line.size() > kMaxPassage) close();
    if (blank) continue;
    if (open.text.empty()) open.line = number;
    open.text += (open.text.empty() ? "" : "\n") + line;
  }
  close();
}

}  // namespace

std::vector<Passage> read_passages(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const auto extension = at->path().extension();
    if (at->is_regular_file(error) && (extension == ".txt" || extension == ".md")) files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Passage> passages;
  for (const auto& file : files) read_file(passages, file, file.lexically_relative(folder).string());
  return passages;
}
