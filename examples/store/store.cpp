// Finding models: all sources together, each model once.
#include "store.h"

#include <algorithm>
#include <fstream>
#include <map>

#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

/// Tells whether a file is one that is listed already: the same inode, digest, or size with the same beginning and end.
class Known {
 public:
  /// The index that was given for such a file, or nothing, and then `index` is noted for it.
  std::optional<size_t> find_or_add(const Entry& entry, size_t index) {
    const fs::path file = path_of(entry.path);
    const std::string inode = inode_of(file);
    std::error_code error;
    const uint64_t size = fs::file_size(file, error);
    if (inode.empty() || error) return std::nullopt;
    std::vector<std::string> keys = {"inode " + inode};
    if (!entry.weights_digest.empty()) keys.push_back("sha256 " + entry.weights_digest);
    // Only files of a size that another has are read.
    auto& alike = by_size_[size];
    alike.emplace_back(entry.path, index);
    for (const std::string& key : keys)
      if (const auto found = by_key_.find(key); found != by_key_.end()) return found->second;
    for (const auto& [path, other] : alike)
      if (other != index && fingerprint(path, size) == fingerprint(entry.path, size)) return other;
    for (const std::string& key : keys) by_key_.emplace(key, index);
    return std::nullopt;
  }

 private:
  static std::string fingerprint(const std::string& path, uint64_t size) {
    constexpr uint64_t kPart = 64 << 10;
    std::ifstream in(path, std::ios::binary);
    Sha256 sum;
    std::string part(kPart, '\0');
    for (const uint64_t at : {uint64_t{0}, size / 2, size - std::min(size, kPart)}) {
      in.clear();
      in.seekg(static_cast<std::streamoff>(at));
      in.read(part.data(), static_cast<std::streamsize>(kPart));
      sum.add(part.data(), static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    }
    return sum.hex();
  }

  std::map<std::string, size_t> by_key_;
  std::map<uint64_t, std::vector<std::pair<std::string, size_t>>> by_size_;
};

/// Of names that differ in the tag alone, the one that is meant when no tag is given.
const Entry* preferred(const std::vector<const Entry*>& alike) {
  for (const char* tag : {"latest", "q4_k_m", "q8_0"})
    for (const Entry* entry : alike)
      if (lower_case(entry->id.tag) == tag) return entry;
  return alike.front();
}

bool is_tagged(std::string_view text) {
  const size_t colon = text.rfind(':'), slash = text.rfind('/');
  return colon != std::string_view::npos && !(colon == 2 && text.starts_with("hf:")) &&
         (slash == std::string_view::npos || colon > slash);
}

}  // namespace

Store Store::standard() {
  const std::string home = home_folder();
  std::string own = environment("HEARTH_MODELS");
  if (own.empty() && !home.empty()) own = home + "/.hearth/models";
  Store store(own);
  if (const std::string ollama = environment("OLLAMA_MODELS"); !ollama.empty()) {
    store.add(Origin::kOllama, ollama);
  } else if (!home.empty()) {
    store.add(Origin::kOllama, home + "/.ollama/models");
  }
  store.add(Origin::kOllama, "/usr/share/ollama/.ollama/models");
  store.add(Origin::kOllama, "/var/lib/ollama/models");
  if (!home.empty()) {
    auto pointer = read_whole(path_of(home) / ".lmstudio-home-pointer", 4096);
    if (pointer) {
      while (!pointer->empty() && (pointer->back() == '\n' || pointer->back() == '\r')) pointer->pop_back();
      store.add(Origin::kLmStudio, *pointer + "/models");
    }
    store.add(Origin::kLmStudio, home + "/.lmstudio/models");
    store.add(Origin::kLmStudio, home + "/.cache/lm-studio/models");
  }
  if (const std::string cache = environment("HF_HUB_CACHE"); !cache.empty()) {
    store.add(Origin::kHub, cache);
  } else if (const std::string hub = environment("HF_HOME"); !hub.empty()) {
    store.add(Origin::kHub, hub + "/hub");
  } else if (!home.empty()) {
    store.add(Origin::kHub, home + "/.cache/huggingface/hub");
  }
  return store;
}

void Store::add(Origin origin, const std::string& folder) {
  const auto is_same = [&](const Source& source) { return source.folder == folder; };
  if (std::none_of(sources_.begin(), sources_.end(), is_same)) sources_.push_back({origin, folder});
}

fs::path Store::find_blob(const std::string& digest) const {
  std::error_code error;
  const auto usable = [&](const fs::path& root, const fs::path& path) {
    const auto real = inside(root, path);
    return real && fs::is_regular_file(*real, error) ? *real : fs::path();
  };
  if (!own_.empty()) {
    if (auto path = usable(path_of(own_), blob_path(digest)); !path.empty()) return path;
  }
  for (const Source& source : sources_) {
    if (source.origin == Origin::kOllama || source.origin == Origin::kFolder) {
      auto path = usable(path_of(source.folder), path_of(source.folder) / "blobs" / ("sha256-" + digest));
      if (!path.empty()) return path;
    }
    if (source.origin != Origin::kHub) continue;
    for (fs::directory_iterator it(path_of(source.folder), error), end; !error && it != end; it.increment(error)) {
      auto path = usable(path_of(source.folder), it->path() / "blobs" / digest);
      if (!path.empty()) return path;
    }
  }
  return {};
}

Listing Store::list() const {
  Listing all;
  const FindBlob elsewhere = [this](const std::string& digest) { return find_blob(digest); };
  if (!own_.empty()) read_manifests(path_of(own_), Origin::kOwn, elsewhere, all);
  for (const Source& source : sources_) {
    switch (source.origin) {
      case Origin::kOwn: break;
      case Origin::kOllama: read_manifests(path_of(source.folder), source.origin, {}, all); break;
      case Origin::kLmStudio: read_lmstudio(path_of(source.folder), all); break;
      case Origin::kHub: read_hub(path_of(source.folder), all); break;
      case Origin::kFolder:
        read_manifests(path_of(source.folder), Origin::kOllama, {}, all);
        read_folder(path_of(source.folder), all);
        break;
    }
  }
  Listing once;
  once.problems = std::move(all.problems);
  Known known;
  for (Entry& entry : all.entries) {
    const auto same_name = std::find_if(once.entries.begin(), once.entries.end(),
                                        [&](const Entry& other) { return other.id.is_same(entry.id); });
    if (same_name != once.entries.end() && same_name->origin != entry.origin) {
      same_name->also.push_back(entry.path);
      continue;
    }
    // Names in manifests are there because somebody wanted them; a plain file is another only if its bytes are.
    const auto same_file = known.find_or_add(entry, once.entries.size());
    if (same_file && entry.manifest.layers.empty()) {
      once.entries[*same_file].also.push_back(entry.id.text());
      continue;
    }
    once.entries.push_back(std::move(entry));
  }
  return once;
}

Result<Entry> Store::find(std::string_view text) const {
  const auto wanted = ModelName::parse(text);
  if (!wanted) return wanted.error();
  Listing all = list();
  std::vector<const Entry*> other_tags;
  std::string alike;
  for (Entry& entry : all.entries) {
    if (entry.id.is_same(*wanted)) return std::move(entry);
  }
  for (const Problem& problem : all.problems) {
    const auto name = ModelName::parse(problem.name);
    if (name && name->is_same(*wanted)) return problem.error;
  }
  const bool has_host = wanted->host != kDefaultHost;
  const auto is_same_model = [&](const ModelName& name) {
    return lower_case(name.model) == lower_case(wanted->model) && lower_case(name.owner) == lower_case(wanted->owner) &&
           (!has_host || lower_case(name.host) == lower_case(wanted->host));
  };
  for (Entry& entry : all.entries) {
    std::vector<ModelName> names = {entry.id};
    for (const std::string& other : entry.also)
      if (auto name = ModelName::parse(other)) names.push_back(std::move(*name));
    bool is_other_tag = false;
    for (const ModelName& name : names) {
      if (!is_same_model(name)) continue;
      if (lower_case(name.tag) == lower_case(wanted->tag)) return std::move(entry);
      is_other_tag = true;
    }
    if (is_other_tag) other_tags.push_back(&entry);
    if (lower_case(entry.id.model).find(lower_case(wanted->model)) != std::string::npos && alike.size() < 200)
      alike += (alike.empty() ? "" : ", ") + entry.id.short_text();
  }
  if (!other_tags.empty() && !is_tagged(text)) return *preferred(other_tags);
  return Error{ErrorCode::kNotFound,
               "there is no model " + shown(text) + " here" + (alike.empty() ? "" : "; there is " + alike)};
}

void Store::note_checked(const fs::path& path, const std::string& digest) const {
  if (!own_.empty()) (void)write_whole(path_of(own_) / "checked" / digest, identity_of(path));
}

Status Store::check_weights(const Entry& entry, const ByteProgress& progress) const {
  struct Part {
    fs::path path;
    std::string digest;
  };
  std::vector<Part> parts;
  if (!entry.weights_digest.empty()) parts.push_back({path_of(entry.path), entry.weights_digest});
  const fs::path folder = path_of(entry.path).parent_path();
  for (const Layer& layer : entry.manifest.layers) {
    const bool is_part = layer.kind == "model" && layer.digest != entry.weights_digest && !layer.title.empty();
    if (is_part) parts.push_back({folder / path_of(layer.title), layer.digest});
  }
  for (size_t i = 0; i < entry.adapters.size(); ++i) {
    size_t n = 0;
    for (const Layer& layer : entry.manifest.layers)
      if (layer.kind == "adapter" && n++ == i) parts.push_back({path_of(entry.adapters[i]), layer.digest});
  }
  for (const Part& part : parts) {
    const fs::path note = path_of(own_) / "checked" / part.digest;
    const auto before = own_.empty() ? Result<std::string>(Error{}) : read_whole(note, 1024);
    const std::string identity = identity_of(part.path);
    if (before && *before == identity) continue;
    const auto hex = sha256_of_file(part.path.string(), progress);
    if (!hex) return hex.error();
    if (*hex != part.digest) {
      return Error{ErrorCode::kFormat, entry.id.text() + ": the bytes of " + part.path.string() +
                                           " are not those of its digest sha256:" + part.digest.substr(0, 12) + "..."};
    }
    if (identity_of(part.path) == identity) note_checked(part.path, part.digest);
  }
  return {};
}

ModelName name_of_file(const fs::path& path) {
  const std::string stem = path.stem().string();
  const std::string quantization = quantization_in_name(stem);
  ModelName name;
  std::string base = stem;
  if (const size_t at = lower_case(stem).rfind(lower_case(quantization)); !quantization.empty() && at > 1) {
    base = stem.substr(0, at - 1);
    name.tag = clean_part(quantization);
  }
  name.model = clean_part(base);
  return name;
}

}  // namespace hearth_store
