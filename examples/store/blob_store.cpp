// Stores of manifests and blobs, as Ollama writes them and hearth does.
#include "sha256.h"
#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

/// Reads one manifest.
class ManifestReader {
 public:
  ManifestReader(const fs::path& root, Origin origin, const FindBlob& elsewhere)
      : root_(root), origin_(origin), elsewhere_(elsewhere) {}

  Result<Entry> read(const fs::path& file, const ModelName& name) {
    auto real = inside(root_, file);
    if (!real) return real.error();
    const auto text = read_whole(*real, kMostManifestBytes);
    if (!text) return text.error();
    auto manifest = parse_manifest(*text);
    if (!manifest) return Error{manifest.error().code, file.string() + ": " + manifest.error().message};
    entry_ = Entry{.id = name, .origin = origin_};
    entry_.bytes = manifest->size();
    entry_.modified = modified_seconds(*real);
    entry_.digest = sha256_hex(*text);
    entry_.manifest = *manifest;
    if (auto status = take_config(manifest->config); !status) return status.error();
    for (const Layer& layer : manifest->layers)
      if (auto status = take(layer); !status) return status.error();
    if (auto status = join_parts(*manifest); !status) return status.error();
    if (entry_.path.empty()) return Error{ErrorCode::kFormat, file.string() + ": the manifest names no weights"};
    return std::move(entry_);
  }

 private:
  /// The file of a layer, of the size that the manifest says.
  Result<fs::path> blob(const Layer& layer) const {
    const fs::path own = root_ / "blobs" / ("sha256-" + layer.digest);
    std::error_code error;
    auto path = inside(root_, own);
    if (!path && !fs::is_symlink(own, error)) {
      const fs::path other = elsewhere_ ? elsewhere_(layer.digest) : fs::path();
      if (!other.empty()) path = other;
    }
    if (!path) return path.error();
    const uint64_t size = fs::file_size(*path, error);
    if (error || !fs::is_regular_file(*path, error)) return Error{ErrorCode::kFormat, own.string() + ": is no file"};
    if (size != layer.size) {
      return Error{ErrorCode::kFormat, own.string() + ": has " + std::to_string(size) +
                                           " bytes, but the manifest says " + std::to_string(layer.size)};
    }
    return path;
  }

  /// The bytes of a layer that is no weights, compared with its digest.
  Result<std::string> contents(const Layer& layer) const {
    const auto path = blob(layer);
    if (!path) return path.error();
    auto text = read_whole(*path, kMostManifestBytes);
    if (text && sha256_hex(*text) != layer.digest) {
      return Error{ErrorCode::kFormat, path->string() + ": its bytes are not those of its digest"};
    }
    return text;
  }

  Result<Json> json_of(const Layer& layer, bool list) const {
    const auto text = contents(layer);
    if (!text) return text.error();
    Json value = parse_json(*text);
    if (list ? !value.is_array() : !value.is_object()) {
      return Error{ErrorCode::kFormat, "the layer sha256:" + layer.digest + " (" + layer.kind + ") is damaged"};
    }
    return value;
  }

  Status take_config(const Layer& layer) {
    if (layer.digest.empty()) return {};
    auto value = json_of(layer, false);
    if (!value) return value.error();
    entry_.config = std::move(*value);
    return {};
  }

  Status take_text(const Layer& layer, std::string& to) {
    auto text = contents(layer);
    if (!text) return text.error();
    to = std::move(*text);
    return {};
  }

  Status take(const Layer& layer) {
    if (layer.kind == "model" || layer.kind == "adapter") {
      const auto path = blob(layer);
      if (!path) return path.error();
      if (layer.kind == "adapter") {
        entry_.adapters.push_back(path->string());
      } else if (entry_.path.empty()) {
        entry_.path = path->string();
        entry_.weights_digest = layer.digest;
        entry_.parent = layer.from;
      }
      if (layer.kind == "model") entry_.weights_bytes += layer.size;
      return {};
    }
    if (layer.kind == "template" || layer.kind == "prompt") {
      entry_.has_template = true;
      return take_text(layer, entry_.template_text);
    }
    if (layer.kind == "system") return take_text(layer, entry_.system);
    if (layer.kind == "license") {
      std::string text;
      if (auto status = take_text(layer, text); !status) return status;
      entry_.license += (entry_.license.empty() ? "" : "\n") + text;
      return {};
    }
    if (layer.kind == "params" || layer.kind == "messages") {
      const bool is_list = layer.kind == "messages";
      auto value = json_of(layer, is_list);
      if (!value) return value.error();
      (is_list ? entry_.messages : entry_.parameters) = std::move(*value);
    }
    return {};  // what others put in (pictures' projectors, newer kinds) does not concern a run
  }

  /// Split models are opened by the names of their files: links with those names lie beside the blobs.
  Status join_parts(const Manifest& manifest) {
    std::vector<const Layer*> parts;
    if (origin_ != Origin::kOwn) return {};  // nothing is written into other programs' folders
    for (const Layer& layer : manifest.layers)
      if (layer.kind == "model" && !layer.title.empty()) parts.push_back(&layer);
    if (parts.size() < 2) return {};
    const fs::path folder = root_ / "parts" / parts.front()->digest;
    std::error_code error;
    fs::create_directories(folder, error);
    for (const Layer* part : parts) {
      const fs::path link = folder / path_of(part->title);
      if (link.filename() != path_of(part->title) || !part->title.ends_with(".gguf")) {
        return Error{ErrorCode::kFormat, shown(part->title) + " is no name for a part of a model"};
      }
      if (fs::exists(link, error)) continue;
      const auto from = blob(*part);
      if (!from) return from.error();
      fs::create_hard_link(*from, link, error);
      if (error && !fs::exists(link, error)) {  // another process made it meanwhile
        return Error{ErrorCode::kIo, link.string() + ": cannot be made"};
      }
    }
    entry_.path = (folder / path_of(parts.front()->title)).string();
    return {};
  }

  const fs::path& root_;
  const Origin origin_;
  const FindBlob& elsewhere_;
  Entry entry_;
};

}  // namespace

Result<Entry> read_manifest_file(const fs::path& root, Origin origin, const fs::path& file, const ModelName& name,
                                 const FindBlob& elsewhere) {
  return ManifestReader(root, origin, elsewhere).read(file, name);
}

void read_manifests(const fs::path& root, Origin origin, const FindBlob& elsewhere, Listing& out) {
  const fs::path folder = root / "manifests";
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) {
      if (it.depth() >= 3) it.disable_recursion_pending();
      continue;
    }
    if (it.depth() != 3) continue;  // stray files, as .DS_Store
    const fs::path relative = it->path().lexically_relative(folder);
    std::string joined;
    for (const auto& part : relative.parent_path()) joined += (joined.empty() ? "" : "/") + part.string();
    const std::string text = joined + ":" + relative.filename().string();
    if (relative.filename().string().starts_with(".")) continue;
    const auto name = ModelName::parse(text);
    if (!name) {
      out.problems.push_back({text, name.error()});
      continue;
    }
    auto entry = read_manifest_file(root, origin, it->path(), *name, elsewhere);
    if (entry) {
      out.entries.push_back(std::move(*entry));
    } else {
      out.problems.push_back({name->text(), entry.error()});
    }
  }
}

}  // namespace hearth_store
