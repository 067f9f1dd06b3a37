// What a name stands for: the files of a model, and what its makers or its user settled about it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "manifest.h"
#include "name.h"

namespace hearth_store {

/// Whose folder a model lies in. Only the first is ever written to.
enum class Origin {
  kOwn,       ///< ~/.hearth/models
  kOllama,    ///< manifests and blobs
  kLmStudio,  ///< owner/repository/file.gguf
  kHub,       ///< the cache of Hugging Face
  kFolder,    ///< any folder with files
};
const char* origin_name(Origin origin);

struct Entry {
  ModelName id{};
  Origin origin = Origin::kFolder;
  std::string path{};                   ///< of the weights; of split ones the first file
  std::string weights_digest{};         ///< their SHA-256, as the store says; empty: it says nothing
  std::vector<std::string> adapters{};  ///< files of LoRA adapters that belong to the model
  uint64_t bytes = 0;                   ///< of everything
  uint64_t weights_bytes = 0;
  int64_t modified = 0;  ///< seconds since 1970
  std::string digest{};  ///< 64 hexadecimal digits: of the manifest, or of what tells a plain file from another

  bool has_template = false;
  std::string template_text{};  ///< in Go's template language
  std::string system{};
  Json parameters = Json::object();  ///< names of Ollama's options and values
  Json messages = Json::array();     ///< [{"role", "content"}], which conversations begin with
  std::string license{};
  std::string parent{};          ///< the name that it was made from
  Json config = Json::object();  ///< model_family, model_type, file_type, ...

  Manifest manifest{};              ///< of a model in a store of manifests; without layers for plain files
  std::vector<std::string> also{};  ///< other names and places of the same file
};

/// Parameters as Ollama lists them: "name" filled up to 30 places, and the value as Go writes it; one a line.
std::string parameters_text(const Json& parameters);

/// Why something that looks like a model is none that can be used.
struct Problem {
  std::string name;  ///< of the model, or a path
  hearth::Error error;
};

struct Listing {
  std::vector<Entry> entries;
  std::vector<Problem> problems;
};

}  // namespace hearth_store
