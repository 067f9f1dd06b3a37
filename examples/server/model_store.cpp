// Names of models, and where their files lie.
#include "model_store.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api_error.h"

namespace hearth_server {

namespace fs = std::filesystem;

namespace {

constexpr const char* kDefaultHost = "registry.ollama.ai";

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// A digest for files that have none: not of their bytes, which may be many, but of what tells them apart.
std::string digest_of(const std::string& text) {
  std::string digest;
  uint64_t hash = 0xcbf29ce484222325u;
  for (int part = 0; part < 4; ++part) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ static_cast<uint64_t>(part + 1)) * 0x100000001b3u;
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
    digest += digits;
  }
  return digest;
}

int64_t modified_of(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

/// "x-00001-of-00003.gguf": only the first file of a set is a model.
bool is_later_shard(const std::string& stem) {
  const size_t of = stem.rfind("-of-");
  return of != std::string::npos && of >= 6 && stem[of - 6] == '-' && stem.compare(of - 5, 5, "00001") != 0;
}

std::string clean_name(const std::string& stem) {
  std::string name = stem;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && std::string_view("._-").find(c) == std::string_view::npos)
      c = '-';
  return name;
}

ModelEntry entry_of_file(const fs::path& path) {
  std::error_code error;
  ModelEntry entry;
  entry.name = clean_name(path.stem().string());
  entry.path = path.string();
  entry.bytes = fs::file_size(path, error);
  entry.modified = modified_of(path);
  entry.digest = digest_of(entry.path + "\n" + std::to_string(entry.bytes) + "\n" + std::to_string(entry.modified));
  return entry;
}

void add_files(const fs::path& folder, std::vector<ModelEntry>& entries) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path& path = it->path();
    std::error_code ignored;
    if (path.extension() != ".gguf" || !it->is_regular_file(ignored) || is_later_shard(path.stem().string())) continue;
    entries.push_back(entry_of_file(path));
  }
}

std::string read_file(const fs::path& path, size_t limit) {
  std::ifstream in(path, std::ios::binary);
  std::string text(limit, '\0');
  in.read(text.data(), static_cast<std::streamsize>(limit));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return text;
}

/// The file of a layer; empty when its digest is none (a name must not lead out of the store).
fs::path blob_of(const fs::path& root, const Json& layer) {
  const auto digest = layer.value("digest", std::string());
  if (digest.size() != 71 || digest.rfind("sha256:", 0) != 0) return {};
  const std::string hex = digest.substr(7);
  if (!std::all_of(hex.begin(), hex.end(), [](unsigned char c) { return std::isxdigit(c); })) return {};
  return root / "blobs" / ("sha256-" + hex);
}

/// Takes what a layer of a manifest says.
void take_layer(const fs::path& root, const Json& layer, ModelEntry& entry) {
  const std::string type = layer.value("mediaType", std::string());
  const fs::path blob = blob_of(root, layer);
  const auto is = [&](const char* kind) { return type == std::string("application/vnd.ollama.image.") + kind; };
  entry.bytes += layer.value("size", uint64_t{0});
  if (blob.empty()) return;
  if (is("model") && entry.path.empty()) entry.path = blob.string();
  if (is("system")) entry.system = read_file(blob, 1 << 20);
  if (is("license")) entry.license = read_file(blob, 1 << 20);
  if (!is("params") && !is("messages")) return;
  Json value = Json::parse(read_file(blob, 1 << 20), nullptr, false);
  if (is("params") && value.is_object()) entry.parameters = std::move(value);
  if (is("messages") && value.is_array()) entry.messages = std::move(value);
}

std::optional<ModelEntry> entry_of_manifest(const fs::path& root, const fs::path& manifest, const fs::path& relative) {
  std::vector<std::string> parts;
  for (const auto& part : relative) parts.push_back(part.string());
  if (parts.size() != 4) return std::nullopt;
  const std::string text = read_file(manifest, 1 << 20);
  const Json value = Json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("layers") || !value["layers"].is_array()) return std::nullopt;
  ModelEntry entry;
  entry.name = (parts[0] == kDefaultHost ? "" : parts[0] + "/") +
               (parts[1] == "library" && parts[0] == kDefaultHost ? "" : parts[1] + "/") + parts[2];
  entry.tag = parts[3];
  entry.modified = modified_of(manifest);
  entry.digest = digest_of(text);
  try {
    for (const Json& layer : value["layers"])
      if (layer.is_object()) take_layer(root, layer, entry);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  std::error_code error;
  if (entry.path.empty() || !fs::is_regular_file(entry.path, error)) return std::nullopt;  // an unfinished pull
  return entry;
}

void add_manifests(const fs::path& root, std::vector<ModelEntry>& entries) {
  std::error_code error;
  const fs::path folder = root / "manifests";
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it.depth() > 4 || !it->is_regular_file(ignored)) continue;
    if (auto entry = entry_of_manifest(root, it->path(), it->path().lexically_relative(folder))) {
      entries.push_back(std::move(*entry));
    }
  }
}

}  // namespace

std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t colon = name.rfind(':'), slash = name.rfind('/');
  if (colon == std::string::npos || (slash != std::string::npos && slash > colon)) return {name, "latest"};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string rfc3339(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

hearth::Status ModelStore::add_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return hearth::Error{hearth::ErrorCode::kNotFound, path + ": there is no such file"};
  }
  files_.push_back(entry_of_file(fs::absolute(path, error)));
  return {};
}

std::vector<ModelEntry> ModelStore::list() const {
  std::vector<ModelEntry> entries = files_;
  for (const std::string& folder : folders_) {
    std::error_code error;
    if (fs::is_directory(fs::path(folder) / "manifests", error)) add_manifests(folder, entries);
    add_files(folder, entries);
  }
  const std::lock_guard lock(mutex_);
  entries.insert(entries.end(), made_.begin(), made_.end());
  return entries;
}

std::optional<ModelEntry> ModelStore::find(const std::string& name) const {
  const auto [base, tag] = split_name(name);
  std::optional<ModelEntry> alike;
  for (ModelEntry& entry : list()) {
    if (entry.name == base && entry.tag == tag) return std::move(entry);
    const bool same = lower(entry.full_name()) == lower(base + ":" + tag) || entry.path == name ||
                      fs::path(entry.path).filename().string() == name;
    if (same && !alike) alike = std::move(entry);
  }
  return alike;
}

std::optional<ModelEntry> ModelStore::first() const {
  auto entries = list();
  return entries.empty() ? std::nullopt : std::optional(std::move(entries.front()));
}

void ModelStore::put_made(ModelEntry entry) {
  entry.is_made = true;
  remove_made(entry.full_name());
  const std::lock_guard lock(mutex_);
  if (made_.size() >= 1000) throw ApiError(507, "too many models were made");
  made_.push_back(std::move(entry));
}

bool ModelStore::remove_made(const std::string& name) {
  const auto [base, tag] = split_name(name);
  const std::string full = lower(base + ":" + tag);
  const std::lock_guard lock(mutex_);
  return std::erase_if(made_, [&](const ModelEntry& entry) { return lower(entry.full_name()) == full; }) > 0;
}

}  // namespace hearth_server
