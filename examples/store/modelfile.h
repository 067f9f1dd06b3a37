// Definitions of models in the form of Ollama's Modelfile: a base, and what is settled about it.
//
//   FROM small-world
//   PARAMETER temperature 0.2
//   SYSTEM """You answer in one line."""
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store.h"

namespace hearth_store {

struct Modelfile {
  std::string from{};                ///< a name, or the path of a GGUF file
  Json parameters = Json::object();  ///< names of Ollama's options; "stop" is a list
  std::optional<std::string> system{};
  std::optional<std::string> template_text{};  ///< in Go's template language
  std::vector<std::string> adapters{};         ///< paths of LoRA adapters: GGUF files, or folders of PEFT
  Json messages = Json::array();               ///< [{"role", "content"}]
  std::vector<std::string> licenses{};

  /// kFormat with the line of what is wrong: an instruction or a parameter that is none, a value of the wrong kind, a
  /// text that is not closed, no FROM.
  static hearth::Result<Modelfile> parse(std::string_view text);
};

/// The value of a parameter as its name demands. kInvalidArgument: no parameter of that name, or no such value.
hearth::Result<Json> parameter_value(const std::string& name, const std::string& text);
/// The same for a value that is JSON already: a number where one is due, a list of texts for "stop".
hearth::Status check_parameter(const std::string& name, const Json& value);

/// What is wrong with a definition by itself: its parameters, its template.
hearth::Status check_definition(const Modelfile& definition);

/// Makes `name` a model of the definition: the layers of the base, replaced where the definition says something else;
/// parameters are merged by name. Relative paths begin at `folder`.
hearth::Result<Entry> create_model(const Store& store, const ModelName& name, const Modelfile& definition,
                                   const fs::path& folder, const ByteProgress& progress = {});

/// The same from a base that was found already, whatever `definition.from` says; one that has no name yet is its layers
/// alone.
hearth::Result<Entry> create_model(const Store& store, const ModelName& name, const Modelfile& definition,
                                   const Entry& base, const ByteProgress& progress = {});

/// The definition that would make such an entry.
std::string modelfile_text(const Entry& entry);

}  // namespace hearth_store
