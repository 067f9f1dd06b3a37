// A store that Ollama wrote, with what Ollama said of each name: the folder named by HEARTH_OLLAMA_STORE, or
// shared/api/stores/ollama beside the checkout. Where its weights are left out, its rebuild.py makes them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth::testing {

class OllamaStore {
 public:
  using Json = nlohmann::ordered_json;

  OllamaStore() {
    namespace fs = std::filesystem;
    const char* given = std::getenv("HEARTH_OLLAMA_STORE");
    const fs::path folder =
        given != nullptr && *given != '\0' ? fs::path(given) : golden_dir().parent_path() / "api/stores/ollama";
    if (!fs::exists(folder / "expected.json")) {
      skipped = "there is no store of Ollama at " + folder.string();
      return;
    }
    expected = Json::parse(read_file(folder / "expected.json"), nullptr, false);
    root = (folder / "models").string();
    if (!fs::exists(folder / "rebuild.py")) return;
    root = (dir.path() / "models").string();
    const std::string command = "python3 '" + (folder / "rebuild.py").string() + "' '" + root + "' --small-world '" +
                                source_dir() + "/examples/models/small-world-q8_0.gguf' --golden '" +
                                golden_dir().string() + "' > '" + dir.file("log") + "' 2>&1";
    if (std::system(command.c_str()) != 0) failure = "rebuild.py: " + read_file(dir.file("log"));
  }

  TempDir dir;
  std::string root;     ///< what OLLAMA_MODELS would name
  Json expected;        ///< by name
  std::string skipped;  ///< why there is none
  std::string failure;
};

}  // namespace hearth::testing
