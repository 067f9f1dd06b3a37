// Stores made by hand in a temporary folder, around the model of examples/models.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "examples/store/store.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace hearth_store {

inline const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

/// A folder of manifests and blobs, written as Ollama writes them.
class BlobFolder {
 public:
  explicit BlobFolder(fs::path root) : root_(std::move(root)) {
    fs::create_directories(root_ / "blobs");
    fs::create_directories(root_ / "manifests");
  }
  const fs::path& root() const { return root_; }

  Layer bytes(const std::string& kind, const std::string& text) const {
    Layer layer{kind, sha256_hex(text), text.size(), "", ""};
    write(blob(layer), text);
    return layer;
  }
  Layer weights() const {
    const std::string text = hearth::testing::read_file(kSmallWorld);
    return bytes("model", text);
  }
  fs::path blob(const Layer& layer) const { return root_ / "blobs" / ("sha256-" + layer.digest); }
  /// `place`: "registry.ollama.ai/library/name/tag"
  fs::path manifest(const std::string& place, const std::vector<Layer>& layers) const {
    Manifest manifest;
    manifest.config = bytes("config", R"({"model_format":"gguf","model_family":"llama"})");
    manifest.layers = layers;
    return text(place, manifest_text(manifest));
  }
  fs::path text(const std::string& place, const std::string& content) const {
    const fs::path path = root_ / "manifests" / place;
    write(path, content);
    return path;
  }
  static void write(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }

 private:
  fs::path root_;
};

/// The names of a listing in order, with blanks between.
inline std::string names_of(const Listing& listing) {
  std::vector<std::string> names;
  for (const Entry& entry : listing.entries) names.push_back(entry.id.text());
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

inline std::string problem_of(const Listing& listing, const std::string& name) {
  for (const Problem& problem : listing.problems)
    if (problem.name == name) return problem.error.message;
  return {};
}

}  // namespace hearth_store
