// --lora and --control-vector.
#include <cmath>
#include <cstdlib>
#include <tuple>

#include "model_options.h"
#include "terminal.h"

namespace hearth_tool {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

void AdapterSettings::declare(Options& options) {
  options.add("--lora", loras, "FILE or FILE:SCALE of a LoRA adapter (GGUF); may be repeated, adapters add up");
  options.add("--control-vector", control_vectors, "FILE or FILE:SCALE of a control vector (GGUF); may be repeated");
}

std::pair<std::string, float> split_scale(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return {text, 1.0f};
  char* end = nullptr;
  const float scale = std::strtof(text.c_str() + colon + 1, &end);
  if (*end != '\0' || !std::isfinite(scale)) return {text, 1.0f};  // the colon belongs to the name
  return {text.substr(0, colon), scale};
}

Result<std::vector<hearth::AdapterScale>> AdapterSettings::load(const hearth::Model& model) const {
  std::vector<hearth::AdapterScale> loaded;
  for (const auto& [flag, files, kind] :
       {std::tuple("--lora", &loras, hearth::AdapterKind::kLora),
        std::tuple("--control-vector", &control_vectors, hearth::AdapterKind::kControlVector)}) {
    for (const std::string& text : *files) {
      const auto [path, scale] = split_scale(text);
      const auto adapter = hearth::Adapter::load(path, model);
      if (!adapter) return adapter.error();
      if (adapter->info().kind != kind) {
        return Error{ErrorCode::kInvalidArgument,
                     std::string(flag) + ": " + path + " is " +
                         (kind == hearth::AdapterKind::kLora ? "a control vector" : "a LoRA adapter")};
      }
      show_warning(adapter->info().warning);
      loaded.push_back({*adapter, scale});
    }
  }
  return loaded;
}

Status AdapterSettings::load(const hearth::Model& model, hearth::SessionOptions& session) const {
  if (loras.empty() && control_vectors.empty()) return {};
  auto loaded = load(model);
  if (!loaded) return loaded.error();
  session.adapters = std::move(*loaded);
  return {};
}

}  // namespace hearth_tool
