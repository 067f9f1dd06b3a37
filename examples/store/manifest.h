// Manifests: what a name in a store stands for, as a list of layers, each a file named by its digest (the manifest of
// Docker's registries, version 2 schema 2, with the media types of Ollama).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/result.h"

namespace hearth_store {

using Json = nlohmann::ordered_json;

struct Layer {
  std::string kind;    ///< "model", "adapter", "template", "system", "params", "messages", "license", ...
  std::string digest;  ///< 64 hexadecimal digits
  uint64_t size = 0;
  std::string from;   ///< what it was made from; empty: nothing is said
  std::string title;  ///< the name of a file; those of split models
};

struct Manifest {
  Layer config;  ///< digest empty: none
  std::vector<Layer> layers;

  uint64_t size() const;  ///< of all layers
  const Layer* find(std::string_view kind) const;
};

inline constexpr uint64_t kMostManifestBytes = 1 << 20;  ///< of a manifest, and of any layer but weights
inline constexpr const char* kManifestType = "application/vnd.docker.distribution.manifest.v2+json";

/// kFormat says what is wrong: no JSON, no layers, a digest that is none, sizes that cannot be.
hearth::Result<Manifest> parse_manifest(std::string_view text);
std::string manifest_text(const Manifest& manifest);

/// Text as JSON, of at most 64 levels; discarded when it is none.
Json parse_json(std::string_view text);

}  // namespace hearth_store
