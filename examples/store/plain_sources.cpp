// Folders of files without manifests: LM Studio's, the cache of Hugging Face, any other.
#include <algorithm>
#include <cctype>

#include "sha256.h"
#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;

namespace {

bool is_model_file(const fs::path& path) {
  return lower_case(path.extension().string()) == ".gguf" && !path.filename().string().starts_with(".") &&
         !is_part_of_model(path.stem().string());
}

/// Names of files are outside input, too: one with control characters is refused.
bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// "-00001-of-00003" at the end of a stem; npos: it is no part.
size_t split_suffix(std::string_view stem) {
  const size_t of = stem.rfind("-of-");
  if (of == std::string_view::npos || of < 6 || stem[of - 6] != '-' || stem.size() != of + 9) return std::string::npos;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool digits = std::all_of(stem.begin() + of - 5, stem.begin() + of, is_digit) &&
                      std::all_of(stem.begin() + of + 4, stem.end(), is_digit);
  return digits ? of - 6 : std::string::npos;
}

/// Bytes of a file and, if it is the first of a split model, of those that lie beside it.
uint64_t bytes_of_all(const fs::path& path) {
  std::error_code error;
  uint64_t total = fs::file_size(path, error);
  const std::string stem = path.stem().string();
  const size_t suffix = split_suffix(stem);
  if (suffix == std::string::npos) return total;
  const long n = std::strtol(stem.c_str() + suffix + 10, nullptr, 10);
  for (long i = 2; i <= n; ++i) {
    char number[32];
    std::snprintf(number, sizeof number, "-%05ld", i);
    const fs::path part =
        path.parent_path() / path_of(stem.substr(0, suffix) + number + stem.substr(suffix + 6) + ".gguf");
    const uint64_t bytes = fs::file_size(part, error);
    if (!error) total += bytes;
  }
  return total;
}

/// The name of a file in a repository: owner/repository:quantization, or its stem where that says more.
ModelName repository_name(const char* host, const std::string& owner, const std::string& repository,
                          const std::string& stem) {
  const std::string whole = stem.substr(0, split_suffix(stem));
  const std::string quantization = quantization_in_name(whole);
  return {host, clean_part(owner), clean_part(repository), clean_part(quantization.empty() ? whole : quantization)};
}

/// Adds a file of a repository; two of one name (other files of the same quantization) are told apart by their stems.
void add_file(Entry entry, Listing& out) {
  for (const Entry& other : out.entries)
    if (other.id.is_same(entry.id)) {
      const std::string stem = path_of(entry.path).stem().string();
      entry.id.tag = clean_part(stem.substr(0, split_suffix(stem)));
    }
  out.entries.push_back(std::move(entry));
}

/// Looks at a file that a repository has.
void take_file(const fs::path& root, const fs::path& path, Origin origin, ModelName name, Listing& out) {
  if (has_control(path.string())) {
    out.problems.push_back({shown(path.string()), {ErrorCode::kFormat, "its name has control characters"}});
    return;
  }
  const auto real = inside(root, path);
  if (!real) {
    out.problems.push_back({name.text(), real.error()});
    return;
  }
  std::error_code error;
  if (!fs::is_regular_file(*real, error)) return;
  Entry entry = entry_of_file(path);
  entry.id = std::move(name);
  entry.origin = origin;
  if (origin == Origin::kHub) {
    if (const auto hex = digest_hex("sha256:" + real->filename().string())) entry.weights_digest = *hex;
  }
  add_file(std::move(entry), out);
}

}  // namespace

bool is_part_of_model(std::string_view stem) {
  const size_t suffix = split_suffix(stem);
  if (suffix != std::string::npos && stem.substr(suffix + 1, 5) != "00001") return true;
  return lower_case(stem).find("mmproj") != std::string::npos;
}

std::string quantization_in_name(std::string_view stem) {
  // The last part between '-' or '.' that begins as names of types do.
  for (size_t end = stem.size(); end > 0;) {
    const size_t at = stem.substr(0, end).find_last_of("-.");
    const size_t begin = at == std::string_view::npos ? 0 : at + 1;
    const std::string part = lower_case(stem.substr(begin, end - begin));
    for (const char* type : {"q2", "q3", "q4", "q5", "q6", "q8", "q1", "iq1", "iq2", "iq3", "iq4", "tq1", "tq2", "bf16",
                             "f16", "fp16", "f32", "mxfp4", "nvfp4"}) {
      const std::string_view head = type;
      if (part.starts_with(head) && (part.size() == head.size() || part[head.size()] == '_')) {
        std::string name = part;
        for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        return name;
      }
    }
    if (begin == 0) break;
    end = at;
  }
  return {};
}

Entry entry_of_file(const fs::path& path) {
  Entry entry;
  entry.id.model = clean_part(path.stem().string());
  entry.path = path.string();
  entry.weights_bytes = entry.bytes = bytes_of_all(path);
  entry.modified = modified_seconds(path);
  entry.digest = sha256_hex(entry.path + "\n" + std::to_string(entry.bytes) + "\n" + std::to_string(entry.modified));
  return entry;
}

void read_folder(const fs::path& folder, Listing& out) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (is_model_file(it->path()) && it->is_regular_file(ignored)) out.entries.push_back(entry_of_file(it->path()));
  }
}

void read_lmstudio(const fs::path& root, Listing& out) {
  std::error_code error;
  Listing found;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (it.depth() >= 2) it.disable_recursion_pending();
    if (it.depth() != 2 || !is_model_file(it->path())) continue;
    const fs::path repository = it->path().parent_path();
    take_file(root, it->path(), Origin::kLmStudio,
              repository_name(kDefaultHost, repository.parent_path().filename().string(),
                              repository.filename().string(), it->path().stem().string()),
              found);
  }
  for (Entry& entry : found.entries) out.entries.push_back(std::move(entry));
  for (Problem& problem : found.problems) out.problems.push_back(std::move(problem));
}

void read_hub(const fs::path& root, Listing& out) {
  std::error_code error;
  Listing found;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string folder = it->path().filename().string();
    const size_t dashes = folder.find("--", 8);
    if (!folder.starts_with("models--") || dashes == std::string::npos) continue;
    // The snapshot that "main" names; without that name, all.
    const auto main = read_whole(it->path() / "refs" / "main", 128);
    std::error_code ignored;
    for (fs::recursive_directory_iterator file(it->path() / "snapshots", ignored), last; !ignored && file != last;
         file.increment(ignored)) {
      if (file.depth() >= 2) file.disable_recursion_pending();
      if (file.depth() == 0 && main && file->path().filename() != path_of(main->substr(0, main->find('\n')))) {
        file.disable_recursion_pending();
      }
      if (file.depth() < 1 || !is_model_file(file->path())) continue;
      take_file(root, file->path(), Origin::kHub,
                repository_name(kHubHost, folder.substr(8, dashes - 8), folder.substr(dashes + 2),
                                file->path().stem().string()),
                found);
    }
  }
  for (Entry& entry : found.entries) out.entries.push_back(std::move(entry));
  for (Problem& problem : found.problems) out.problems.push_back(std::move(problem));
}

}  // namespace hearth_store
