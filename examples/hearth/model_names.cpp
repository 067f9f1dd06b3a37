// Names to files, and what the store adds to them.
#include "model_names.h"

#include <algorithm>
#include <filesystem>

#include "../store/store.h"
#include "../store/system.h"
#include "sampling_settings.h"
#include "terminal.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth_store::Json;

namespace {

/// Whether a text that is no file was meant as one.
bool looks_like_path(const std::string& text) {
  return text.empty() || text[0] == '/' || text[0] == '.' || text[0] == '~' || text.ends_with(".gguf");
}

}  // namespace

Result<NamedModel> find_model(const std::string& text) {
  std::error_code error;
  if (std::filesystem::exists(hearth_store::path_of(text), error)) return NamedModel{text};
  const auto store = hearth_store::Store::standard();
  auto entry = store.find(text);
  if (!entry) {
    if (looks_like_path(text)) return NamedModel{text};  // what is wrong with it, opening it will say
    Error why = entry.error();
    if (why.code == ErrorCode::kNotFound) why.message += " and no such file (see hearth list)";
    return why;
  }
  Progress progress("checking " + entry->id.text());
  const auto status = store.check_weights(*entry, [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    return !interrupted();
  });
  progress.clear();
  if (!status) return status.error();
  std::string path = entry->path;
  return NamedModel{std::move(path), std::make_shared<const hearth_store::Entry>(std::move(*entry))};
}

Result<std::string> model_path(const std::string& text) {
  auto found = find_model(text);
  if (!found) return found.error();
  return std::move(found->path);
}

std::string NamedModel::shown() const {
  return entry ? entry->id.short_text() : path;
}

NamedDefaults NamedDefaults::of(const NamedModel& named) {
  const auto& entry = named.entry;
  NamedDefaults out;
  if (!entry) return out;
  const auto number = [&](const char* name) -> std::optional<int64_t> {
    const auto found = entry->parameters.find(name);
    if (found == entry->parameters.end() || !found->is_number()) return std::nullopt;
    return static_cast<int64_t>(std::clamp(found->get<double>(), -1.0, 9e15));
  };
  const auto small = [&](const char* name, int64_t least) -> std::optional<int32_t> {
    const auto value = number(name);
    if (!value || *value < least || *value > INT32_MAX) return std::nullopt;
    return static_cast<int32_t>(*value);
  };
  out.n_ctx = small("num_ctx", 1);
  out.max_tokens = small("num_predict", -1);
  out.seed = number("seed");
  const auto stop = entry->parameters.find("stop");
  if (stop != entry->parameters.end()) {
    for (const Json& one : stop->is_array() ? *stop : Json::array({*stop}))
      if (one.is_string() && !one.get<std::string>().empty()) out.stop_texts.push_back(one.get<std::string>());
  }
  return out;
}

void apply_parameters(const NamedModel& named, hearth::SamplerOptions& sampler) {
  if (!named.entry) return;
  for (const auto& [name, value] : named.entry->parameters.items()) {
    const SamplingField* field = find_sampling_field(name);
    if (field == nullptr || !value.is_number()) continue;
    hearth::SamplerOptions tried = sampler;
    const double number = value.get<double>();
    std::visit(
        [&](auto member) {
          using Number = std::decay_t<decltype(tried.*member)>;
          if (number >= -1e9 && number <= 1e9) tried.*member = static_cast<Number>(number);
        },
        field->member);
    if (hearth::Sampler::create(1, tried)) sampler = tried;
  }
}

}  // namespace hearth_tool
