// Which models there are: files, files in folders, models in the store of Ollama, and variants that clients made.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hearth/result.h"
#include "json.h"

namespace hearth_server {

/// What a file says of itself, read without touching the weights.
struct ModelFacts {
  std::string architecture, name, quantization;
  int64_t n_parameters = 0;
  int32_t n_ctx_train = 0, d_model = 0;
  bool is_encoder = false;  ///< makes vectors, no text
  bool can_rank = false;    ///< a reranker
  bool has_tools = false, can_think = false, can_insert = false;
  std::string chat_template;  ///< empty: none

  std::string parameter_size() const;  ///< "4.2M"
};

struct ModelEntry {
  std::string name;  ///< without the tag
  std::string tag = "latest";
  std::string path;
  uint64_t bytes = 0;
  int64_t modified = 0;  ///< seconds since 1970
  std::string digest;    ///< 64 hexadecimal digits
  bool is_made = false;  ///< by a client: a copy or a variant, kept as long as the server runs

  // What answers take when the request says nothing:
  std::string system;
  Json parameters = Json::object();  ///< of /api: names of options and values
  Json messages = Json::array();
  std::string license;

  std::string full_name() const { return name + ":" + tag; }
  /// The name as /v1 shows it: without the tag that every name has.
  std::string short_name() const { return tag == "latest" ? name : full_name(); }
};

class ModelStore {
 public:
  /// Adds a file under its own name.
  hearth::Status add_file(const std::string& path);
  /// Looks into a folder at every listing: files, or the store of Ollama.
  void add_folder(const std::string& path) { folders_.push_back(path); }
  /// One file was given and no folder: it answers to any name where the protocol does not look.
  bool is_single() const { return folders_.empty() && files_.size() == 1; }

  std::vector<ModelEntry> list() const;
  /// By name, with or without tag; upper and lower case are the same where nothing else tells two apart.
  std::optional<ModelEntry> find(const std::string& name) const;
  /// The first; nothing when there is none.
  std::optional<ModelEntry> first() const;
  void put_made(ModelEntry entry);
  /// Removes what a client made. False: there is none of that name, or it is a file.
  bool remove_made(const std::string& name);

  /// Facts of a file, remembered until it changes.
  ModelFacts facts(const ModelEntry& entry) const;

 private:
  std::vector<std::string> folders_;
  std::vector<ModelEntry> files_;
  mutable std::mutex mutex_;  ///< of what follows
  std::vector<ModelEntry> made_;
  mutable std::map<std::string, ModelFacts> facts_;
};

/// "name:tag" in its two parts; "name" has the tag "latest".
std::pair<std::string, std::string> split_name(const std::string& name);
std::string rfc3339(int64_t seconds);

}  // namespace hearth_server
