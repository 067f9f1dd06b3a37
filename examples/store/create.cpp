// From definitions to models, and back.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "files.h"
#include "go_template.h"
#include "hearth/convert.h"
#include "hearth/gguf.h"
#include "modelfile.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

fs::path resolved(const std::string& text, const fs::path& folder) {
  const std::string home = home_folder();
  if (text.starts_with("~/") && !home.empty()) return path_of(home) / path_of(text.substr(2));
  return path_of(text).is_absolute() ? path_of(text) : folder / path_of(text);
}

class Creator {
 public:
  Creator(const Store& store, const Modelfile& definition, fs::path folder, const ByteProgress& progress)
      : store_(store), definition_(definition), folder_(std::move(folder)), progress_(progress) {}

  Result<Entry> create(const ModelName& name, const Entry* base) {
    if (auto status = check_definition(definition_); !status) return status.error();
    if (auto status = base != nullptr ? take_entry(*base) : take_base(); !status) return status.error();
    for (const std::string& adapter : definition_.adapters)
      if (auto status = add_adapter(adapter); !status) return status.error();
    if (definition_.template_text) replace("template", *definition_.template_text);
    if (definition_.system) replace("system", *definition_.system);
    for (const std::string& license : definition_.licenses) add("license", license);
    if (!definition_.parameters.empty()) {
      for (const auto& [key, value] : definition_.parameters.items()) parameters_[key] = value;
      const nlohmann::json sorted = parameters_;  // keys in order, as Ollama writes them
      replace("params", sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    if (!definition_.messages.empty()) {
      replace("messages", definition_.messages.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    adopt();
    if (!status_) return status_.error();
    return store_.put(name, manifest_);
  }

 private:
  Status take_base() {
    std::error_code error;
    const fs::path file = resolved(definition_.from, folder_);
    if (fs::is_regular_file(file, error)) {
      auto taken = store_.take_file(file, progress_);
      if (!taken) return taken.error();
      manifest_ = std::move(*taken);
      return {};
    }
    const auto entry = store_.find(definition_.from);
    if (!entry) return entry.error();
    return take_entry(*entry);
  }

  Status take_entry(const Entry& entry) {
    manifest_ = entry.manifest;
    if (manifest_.layers.empty()) {  // a plain file of another program
      auto taken = store_.take_file(path_of(entry.path), progress_, Store::Take::kLink);
      if (!taken) return taken.error();
      manifest_ = std::move(*taken);
    }
    parameters_ = entry.parameters;
    if (entry.id.model.empty()) return {};
    for (Layer& layer : manifest_.layers) layer.from = entry.id.text();
    return {};
  }

  /// A folder of safetensors as a file, for the weights that are there.
  Result<fs::path> converted(const fs::path& folder, const fs::path& work) const {
    const auto weights = std::find_if(manifest_.layers.begin(), manifest_.layers.end(),
                                      [](const Layer& layer) { return layer.kind == "model"; });
    if (weights == manifest_.layers.end()) return Error{ErrorCode::kFormat, "the base has no weights"};
    hearth::ConvertOptions options;
    options.on_progress = [&](uint64_t done, uint64_t total) { return !progress_ || progress_(done, total); };
    const std::string name = (folder / "").parent_path().filename().string();
    fs::path out = work / path_of((name.empty() || name[0] == '.' ? "adapter" : name) + ".gguf");
    const auto report =
        hearth::convert_adapter(folder.string(), store_.find_blob(weights->digest).string(), out.string(), options);
    if (!report) return report.error();
    return out;
  }

  Status add_adapter(const std::string& text) {
    fs::path path = resolved(text, folder_);
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    std::optional<WorkFolder> work;
    if (is_folder) {
      if (auto status = store_.check_writable(); !status) return status;
      work.emplace(store_.own());
      if (auto status = work->check(); !status) return status;
      auto made = converted(path, work->path());
      if (!made) return made.error();
      path = std::move(*made);
    }
    const auto file = hearth::GgufFile::open(path.string(), {.metadata_only = true});
    if (!file) return file.error();
    const auto type = file->get_string("general.type");
    if (!type || *type != "adapter") return Error{ErrorCode::kFormat, path.string() + ": is no adapter"};
    auto layer = store_.add_file("adapter", path, progress_, is_folder ? Store::Take::kLink : Store::Take::kCopy);
    if (!layer) return layer.error();
    layer->from = path.filename().string();
    manifest_.layers.push_back(std::move(*layer));
    return {};
  }

  /// Small layers of a base in another store become this one's own; weights are found there by their digests.
  void adopt() const {
    std::vector<Layer> small = manifest_.layers;
    small.push_back(manifest_.config);
    std::error_code error;
    for (const Layer& layer : small) {
      const bool is_weights = layer.kind == "model" || layer.kind == "adapter";
      if (is_weights || layer.digest.empty() || fs::exists(store_.blob_path(layer.digest), error)) continue;
      const auto text = read_whole(store_.find_blob(layer.digest), kMostManifestBytes);
      if (text) (void)store_.add_bytes(layer.kind, *text);
    }
  }

  void add(const std::string& kind, const std::string& text) {
    auto layer = store_.add_bytes(kind, text);
    if (layer) {
      manifest_.layers.push_back(std::move(*layer));
    } else {
      status_ = layer.error();
    }
  }
  void replace(const std::string& kind, const std::string& text) {
    std::erase_if(manifest_.layers, [&](const Layer& layer) { return layer.kind == kind; });
    if (!text.empty()) add(kind, text);
  }

  const Store& store_;
  const Modelfile& definition_;
  const fs::path folder_;
  const ByteProgress& progress_;
  Manifest manifest_;
  Json parameters_ = Json::object();
  Status status_;
};

/// A text of a definition: quoted where it must be.
std::string quoted(const std::string& text) {
  const bool is_plain = text.find_first_of("\"\n\r") == std::string::npos && !text.empty() && text.front() != ' ' &&
                        text.front() != '\t' && text.back() != ' ' && text.back() != '\t';
  return is_plain ? text : "\"\"\"" + text + "\"\"\"";
}

}  // namespace

Status check_definition(const Modelfile& definition) {
  for (const auto& [key, value] : definition.parameters.items())
    if (auto status = check_parameter(key, value); !status) return status;
  if (!definition.template_text) return {};
  const auto parsed = GoTemplate::parse(*definition.template_text);
  if (!parsed) return parsed.error();
  const auto jinja = parsed->to_jinja();
  return jinja ? Status() : Status(jinja.error());
}

Result<Entry> create_model(const Store& store, const ModelName& name, const Modelfile& definition,
                           const fs::path& folder, const ByteProgress& progress) {
  return Creator(store, definition, folder, progress).create(name, nullptr);
}

Result<Entry> create_model(const Store& store, const ModelName& name, const Modelfile& definition, const Entry& base,
                           const ByteProgress& progress) {
  return Creator(store, definition, {}, progress).create(name, &base);
}

std::string modelfile_text(const Entry& entry) {
  std::string text = "FROM " + entry.path + "\n";
  for (const std::string& adapter : entry.adapters) text += "ADAPTER " + adapter + "\n";
  if (entry.has_template) text += "TEMPLATE " + quoted(entry.template_text) + "\n";
  if (!entry.system.empty()) text += "SYSTEM " + quoted(entry.system) + "\n";
  for (const auto& [name, value] : entry.parameters.items())
    for (const Json& one : value.is_array() ? value : Json::array({value}))
      text += "PARAMETER " + name + " " + (one.is_string() ? quoted(one.get<std::string>()) : one.dump()) + "\n";
  for (const Json& message : entry.messages) {
    if (!message.is_object()) continue;
    text += "MESSAGE " + message.value("role", "user") + " " + quoted(message.value("content", "")) + "\n";
  }
  if (!entry.license.empty()) text += "LICENSE " + quoted(entry.license) + "\n";
  return text;
}

}  // namespace hearth_store
