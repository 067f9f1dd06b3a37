// What is told about entries.
#include "entry.h"

namespace hearth_store {

const char* origin_name(Origin origin) {
  switch (origin) {
    case Origin::kOwn: return "hearth";
    case Origin::kOllama: return "ollama";
    case Origin::kLmStudio: return "lmstudio";
    case Origin::kHub: return "hub";
    case Origin::kFolder: break;
  }
  return "folder";
}

std::string parameters_text(const Json& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters.items()) {
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      text += (text.empty() ? "" : "\n") + name + std::string(name.size() < 30 ? 31 - name.size() : 1, ' ') +
              one.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
  }
  return text;
}

}  // namespace hearth_store
