// Changing hearth's own store. A name appears last, when all that it needs is there; what nobody names goes.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "facts.h"
#include "hearth/gguf.h"
#include "sources.h"
#include "store.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

/// Copies a file while its digest is computed. Where the file system shares blocks, the copy takes no space.
Result<std::string> copy_and_digest(const fs::path& from, const fs::path& to, const ByteProgress& progress) {
  std::error_code error;
  if (share_blocks(from, to)) return sha256_of_file(to.string(), progress);
  std::ifstream source(from, std::ios::binary);
  std::ofstream target(to, std::ios::binary | std::ios::trunc);
  if (!source) return Error{ErrorCode::kIo, from.string() + ": cannot be read"};
  const uint64_t total = fs::file_size(from, error);
  Sha256 sum;
  std::string buffer(1 << 20, '\0');
  for (uint64_t done = 0; source;) {
    source.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<size_t>(std::max<std::streamsize>(source.gcount(), 0));
    sum.add(buffer.data(), n);
    if (!target.write(buffer.data(), static_cast<std::streamsize>(n)))
      return Error{ErrorCode::kIo, to.string() + ": cannot be written: " + std::strerror(errno)};
    done += n;
    if (progress && !progress(done, total)) return Error{ErrorCode::kCancelled, "copying was stopped"};
  }
  if (!target.flush()) return Error{ErrorCode::kIo, to.string() + ": cannot be written: " + std::strerror(errno)};
  return sum.hex();
}

/// Compares tensors with the checksums in the file, if it has some.
Status check_tensors(const fs::path& path) {
  const auto file = hearth::GgufFile::open(path.string());
  if (!file) return file.error();
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    if (!file->checksum(i)) continue;
    if (auto sound = file->check_tensor(i); !sound) return sound.error();
  }
  return {};
}

/// The folders of a name go with its last tag.
void remove_empty_folders(fs::path folder, const fs::path& root) {
  std::error_code error;
  while (folder != root && fs::is_empty(folder, error) && !error) {
    if (!fs::remove(folder, error)) return;
    folder = folder.parent_path();
  }
}

}  // namespace

Status Store::check_writable() const {
  if (own_.empty()) return Error{ErrorCode::kUnsupported, "there is no folder for models: set HEARTH_MODELS, or HOME"};
  std::error_code error;
  fs::create_directories(path_of(own_) / "blobs", error);
  if (error) return Error{ErrorCode::kIo, own_ + ": cannot be made: " + error.message()};
  return {};
}

Result<Entry> Store::put(const ModelName& name, const Manifest& manifest, std::string_view text) const {
  if (auto status = check_writable(); !status) return status.error();
  const FindBlob elsewhere = [this](const std::string& digest) { return find_blob(digest); };
  const fs::path folder = path_of(own_) / "manifests";
  // What it stands for is looked at before the name exists: in a place that no listing sees.
  const fs::path trial = folder / (".trial-" + unique_text());
  if (auto status = write_whole(trial, text.empty() ? manifest_text(manifest) : std::string(text)); !status)
    return status.error();
  auto entry = read_manifest_file(path_of(own_), Origin::kOwn, trial, name, elsewhere);
  std::error_code error;
  if (!entry) {
    fs::remove(trial, error);
    return entry.error();
  }
  const StoreLock lock(path_of(own_));
  fs::path file = folder / name.path();
  Manifest before;
  for (const Entry& other : list().entries) {  // the same name in other letters is the same name
    if (other.origin != Origin::kOwn || !other.id.is_same(name)) continue;
    file = folder / other.id.path();
    before = other.manifest;
  }
  fs::create_directories(file.parent_path(), error);
  fs::rename(trial, file, error);
  if (error) return Error{ErrorCode::kIo, file.string() + ": cannot be written: " + error.message()};
  flush_folder(file.parent_path());
  entry->modified = modified_seconds(file);
  drop_unused(before);
  return entry;
}

Result<Layer> Store::add_bytes(const std::string& kind, std::string_view bytes) const {
  if (auto status = check_writable(); !status) return status.error();
  if (bytes.size() > kMostManifestBytes) return Error{ErrorCode::kLimit, "the " + kind + " is longer than a megabyte"};
  Layer layer{.kind = kind, .digest = sha256_hex(bytes), .size = bytes.size(), .from = {}, .title = {}};
  std::error_code error;
  const fs::path path = blob_path(layer.digest);
  if (fs::file_size(path, error) == bytes.size() && !error) return layer;
  if (auto status = write_whole(path, bytes); !status) return status.error();
  return layer;
}

Result<Layer> Store::add_file(const std::string& kind, const fs::path& path, const ByteProgress& progress,
                              Take take) const {
  if (auto status = check_writable(); !status) return status.error();
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return Error{ErrorCode::kNotFound, path.string() + ": there is no such file"};
  const fs::path beside = path_of(own_) / "blobs" / ("new-" + unique_text() + ".partial");
  fs::remove(beside, error);
  if (take == Take::kLink) fs::create_hard_link(path, beside, error);
  const bool linked = take == Take::kLink && !error;
  auto digest = linked ? sha256_of_file(beside.string(), progress) : copy_and_digest(path, beside, progress);
  if (!digest) {
    fs::remove(beside, error);
    return digest.error();
  }
  Layer layer{.kind = kind, .digest = *digest, .size = fs::file_size(beside, error), .from = {}, .title = {}};
  const int file = open_file(beside, Open::kRead);
  if (file >= 0) {
    flush_file(file);
    close_file(file);
  }
  fs::rename(beside, blob_path(layer.digest), error);
  if (error) return Error{ErrorCode::kIo, blob_path(layer.digest).string() + ": " + error.message()};
  fs::remove(beside, error);  // of two links to one file a rename leaves both
  flush_folder(path_of(own_) / "blobs");
  note_checked(blob_path(layer.digest), layer.digest);
  return layer;
}

Result<Manifest> Store::take_file(const fs::path& path, const ByteProgress& progress, Take take) const {
  if (auto status = check_tensors(path); !status) return status.error();
  const auto gguf = hearth::GgufFile::open(path.string(), {.metadata_only = true});
  if (!gguf) return gguf.error();
  Manifest manifest;
  const auto shards = gguf->shard_paths();
  for (const std::string& shard : shards) {
    auto layer = add_file("model", path_of(shard), progress, take);
    if (!layer) return layer.error();
    if (shards.size() > 1) layer->title = path_of(shard).filename().string();
    manifest.layers.push_back(std::move(*layer));
  }
  auto config = add_bytes("config", config_text(read_facts(path.string())));
  if (!config) return config.error();
  manifest.config = std::move(*config);
  return manifest;
}

Result<Entry> Store::import(const fs::path& path, const ModelName& name, const ByteProgress& progress) const {
  const auto manifest = take_file(path, progress);
  if (!manifest) return manifest.error();
  return put(name, *manifest);
}

Result<Entry> Store::copy(std::string_view from, std::string_view to, const ByteProgress& progress) const {
  const auto name = ModelName::parse(to);
  if (!name) return name.error();
  const auto entry = find(from);
  if (!entry) return entry.error();
  if (entry->manifest.layers.empty()) return import(path_of(entry->path), *name, progress);
  // Small layers become this store's own; weights stay where they are, and are found by their digests.
  const auto own_layer = [&](const Layer& layer) -> Result<Layer> {
    std::error_code error;
    const bool is_weights = layer.kind == "model" || layer.kind == "adapter";
    if (is_weights || layer.digest.empty() || fs::exists(blob_path(layer.digest), error)) return layer;
    const auto text = read_whole(find_blob(layer.digest), kMostManifestBytes);
    if (!text) return layer;  // of a kind that no run needs
    auto own = add_bytes(layer.kind, *text);
    if (own) own->from = layer.from;
    return own;
  };
  Manifest manifest = entry->manifest;
  for (Layer& layer : manifest.layers) {
    auto own = own_layer(layer);
    if (!own) return own.error();
    layer = std::move(*own);
  }
  if (!manifest.config.digest.empty()) {
    auto own = own_layer(manifest.config);
    if (!own) return own.error();
    manifest.config = std::move(*own);
  }
  return put(*name, manifest);
}

void Store::drop_unused(const Manifest& manifest) const {
  std::set<std::string> needed;
  Listing own;
  const FindBlob elsewhere = [this](const std::string& digest) { return find_blob(digest); };
  read_manifests(path_of(own_), Origin::kOwn, elsewhere, own);
  for (const Entry& entry : own.entries) {
    needed.insert(entry.manifest.config.digest);
    for (const Layer& layer : entry.manifest.layers) needed.insert(layer.digest);
  }
  std::vector<std::string> digests = {manifest.config.digest};
  for (const Layer& layer : manifest.layers) digests.push_back(layer.digest);
  std::error_code error;
  for (const std::string& digest : digests) {
    if (digest.empty() || needed.contains(digest)) continue;
    fs::remove_all(path_of(own_) / "parts" / digest, error);
    fs::remove(blob_path(digest), error);
    fs::remove(path_of(own_) / "checked" / digest, error);
  }
  // What was begun and never named, unless somebody may be at it.
  const auto an_hour_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator it(path_of(own_) / "blobs", error), end; !error && it != end; it.increment(error)) {
    const auto hex = digest_hex(it->path().filename().string());
    std::error_code ignored;
    const bool is_old = it->last_write_time(ignored) < an_hour_ago;
    if (is_old && !ignored && hex && !needed.contains(*hex)) fs::remove(it->path(), ignored);
  }
}

Status Store::remove(std::string_view text) const {
  const auto wanted = ModelName::parse(text);
  if (!wanted) return wanted.error();
  const StoreLock lock(path_of(own_));
  const fs::path folder = path_of(own_) / "manifests";
  const auto take_away = [&](const ModelName& name, const Manifest& manifest) -> Status {
    const fs::path file = folder / name.path();
    std::error_code error;
    if (!fs::remove(file, error)) {
      return Error{ErrorCode::kIo, file.string() + ": cannot be removed" + (error ? ": " + error.message() : "")};
    }
    remove_empty_folders(file.parent_path(), folder);
    drop_unused(manifest);
    return {};
  };
  const Listing all = list();
  for (const Entry& entry : all.entries) {
    if (!entry.id.is_same(*wanted)) continue;
    if (entry.origin == Origin::kOwn) return take_away(entry.id, entry.manifest);
    return Error{ErrorCode::kUnsupported, entry.id.text() + " lies in " + entry.path + ", which belongs to " +
                                              origin_name(entry.origin) + " and is only read here"};
  }
  for (const Problem& problem : all.problems) {
    const auto name = ModelName::parse(problem.name);
    std::error_code error;
    if (name && name->is_same(*wanted) && fs::exists(folder / name->path(), error)) return take_away(*name, {});
  }
  const auto entry = find(text);
  if (!entry) return entry.error();
  return Error{ErrorCode::kUnsupported, entry->id.text() + " lies in " + entry->path + ", which belongs to " +
                                            origin_name(entry->origin) + " and is only read here"};
}

}  // namespace hearth_store
