// Uploaded files as models. They are laid out in a folder of work under their names, as links, so that what reads files
// by their names (split models, folders of safetensors) finds them.
#include "blob_model.h"

#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hearth/convert.h"
#include "hearth/gguf.h"
#include "hearth/quantizer.h"
#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

namespace {

constexpr size_t kMostFiles = 1024;

bool is_file_name(const std::string& name) {
  const bool has_odd = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return !name.empty() && name.size() <= 255 && name[0] != '.' && name.find('/') == std::string::npos && !has_odd;
}

bool is_mix(const std::string& name) {
  const auto same = [&](const char* mix) { return ::strcasecmp(mix, name.c_str()) == 0; };
  return std::any_of(hearth::mix_names().begin(), hearth::mix_names().end(), same);
}

Status lay_out(const Store& store, const std::vector<NamedBlob>& files, const fs::path& folder) {
  for (const NamedBlob& file : files) {
    const fs::path link = folder / path_of(file.name);
    std::error_code error;
    fs::create_hard_link(store.blob_path(file.digest), link, error);
    if (error) return Error{ErrorCode::kIo, link.string() + ": cannot be made: " + error.message()};
  }
  return {};
}

/// The file that is opened: the only one, or the first of a split model. Projectors of pictures are not needed.
Result<std::string> first_name(const std::vector<NamedBlob>& files) {
  std::string first;
  for (const NamedBlob& file : files) {
    if (files.size() > 1 && is_part_of_model(path_of(file.name).stem().string())) continue;
    if (!first.empty())
      return Error{ErrorCode::kInvalidArgument, shown(first) + " and " + shown(file.name) + " are two models"};
    first = file.name;
  }
  if (first.empty()) return Error{ErrorCode::kInvalidArgument, "the first file of the model is missing"};
  return first;
}

Result<fs::path> converted(const fs::path& folder, const StepProgress& progress) {
  hearth::ConvertOptions options;
  options.on_progress = [&](uint64_t done, uint64_t total) {
    return !progress || progress("converting model", done, total);
  };
  const fs::path out = folder / ".converted.gguf";
  const auto report = hearth::convert_model(folder.string(), out.string(), options);
  if (!report) return report.error();
  return out;
}

Result<fs::path> quantized(const fs::path& from, const std::string& mix, const fs::path& to,
                           const StepProgress& progress) {
  hearth::QuantizeOptions options;
  options.type = mix;
  options.progress = [&](const hearth::QuantizeProgress& p) {
    return !progress || progress("quantizing model to " + mix, p.done_bytes, p.total_bytes);
  };
  auto quantizer = hearth::Quantizer::open(from.string(), options);
  if (!quantizer) return quantizer.error();
  if (auto status = quantizer->check(); !status) return status.error();
  const auto written = quantizer->run(to.string());
  if (!written) return written.error();
  return to;
}

/// What the errors of files in the folder of work say: their own names are enough.
Error without_folder(Error error, const fs::path& folder) {
  const std::string prefix = folder.string() + "/";
  for (size_t at = 0; (at = error.message.find(prefix)) != std::string::npos;) error.message.erase(at, prefix.size());
  return error;
}

}  // namespace

Status check_blobs(const Store& store, const std::vector<NamedBlob>& files, const std::string& quantize) {
  if (files.size() > kMostFiles) return Error{ErrorCode::kInvalidArgument, "these are too many files"};
  std::vector<std::string> names;
  for (const NamedBlob& file : files) {
    if (!is_file_name(file.name)) return Error{ErrorCode::kInvalidArgument, shown(file.name) + " is no name of a file"};
    names.push_back(file.name);
    std::error_code error;
    if (!fs::is_regular_file(store.blob_path(file.digest), error)) {
      return Error{ErrorCode::kNotFound, "the blob sha256:" + file.digest + " is not here: it must be uploaded first"};
    }
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end())
    return Error{ErrorCode::kInvalidArgument, "two files have one name"};
  if (!quantize.empty() && !is_mix(quantize))
    return Error{ErrorCode::kInvalidArgument, shown(quantize) + " is no type that models are quantized to"};
  return {};
}

Result<Manifest> model_of_blobs(const Store& store, const std::vector<NamedBlob>& files, const std::string& quantize,
                                const StepProgress& progress) {
  if (files.empty()) return Error{ErrorCode::kInvalidArgument, "there are no files to make a model of"};
  if (auto status = store.check_writable(); !status) return status.error();
  if (auto status = check_blobs(store, files, quantize); !status) return status.error();
  const WorkFolder work(path_of(store.own()));
  if (auto status = work.check(); !status) return status.error();
  if (auto status = lay_out(store, files, work.path()); !status) return status.error();
  const bool is_folder =
      std::any_of(files.begin(), files.end(), [](auto& file) { return file.name.ends_with(".safetensors"); });
  Result<fs::path> path = fs::path();
  if (is_folder) {
    path = converted(work.path(), progress);
  } else if (const auto first = first_name(files)) {
    path = work.path() / path_of(*first);
  } else {
    path = first.error();
  }
  if (path && !quantize.empty()) path = quantized(*path, quantize, work.path() / ".quantized.gguf", progress);
  if (!path) return without_folder(path.error(), work.path());
  const ByteProgress counted = [&](uint64_t done, uint64_t total) {
    return !progress || progress("creating new layer", done, total);
  };
  auto manifest = store.take_file(*path, counted, Store::Take::kLink);
  if (!manifest) return without_folder(manifest.error(), work.path());
  return manifest;
}

Result<Entry> create_model_with(const Store& store, const ModelName& name, Modelfile definition, const Entry& base,
                                const std::vector<NamedBlob>& adapter, const StepProgress& progress) {
  if (auto status = store.check_writable(); !status) return status.error();
  if (auto status = check_blobs(store, adapter); !status) return status.error();
  const WorkFolder work(path_of(store.own()));
  if (auto status = work.check(); !status) return status.error();
  const fs::path folder = work.path() / "adapter";
  std::error_code error;
  fs::create_directory(folder, error);
  if (auto status = lay_out(store, adapter, folder); !status) return status.error();
  definition.adapters.push_back(folder.string());
  const ByteProgress counted = [&](uint64_t done, uint64_t total) {
    return !progress || progress("converting adapter", done, total);
  };
  auto entry = create_model(store, name, definition, base, counted);
  if (!entry) return without_folder(entry.error(), folder);
  return entry;
}

Result<Manifest> quantized_model(const Store& store, const Entry& entry, const std::string& mix,
                                 const StepProgress& progress) {
  if (auto status = store.check_writable(); !status) return status.error();
  if (auto status = check_blobs(store, {}, mix); !status) return status.error();
  const WorkFolder work(path_of(store.own()));
  if (auto status = work.check(); !status) return status.error();
  const auto path = quantized(path_of(entry.path), mix, work.path() / ".quantized.gguf", progress);
  if (!path) return without_folder(path.error(), work.path());
  const ByteProgress counted = [&](uint64_t done, uint64_t total) {
    return !progress || progress("creating new layer", done, total);
  };
  auto made = store.take_file(*path, counted, Store::Take::kLink);
  if (!made) return without_folder(made.error(), work.path());
  Manifest manifest = *made;
  for (const Layer& layer : entry.manifest.layers)
    if (layer.kind != "model") manifest.layers.push_back(layer);
  return manifest;
}

}  // namespace hearth_store
