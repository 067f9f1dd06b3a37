// Which models there are: files that were named, and those of a store (examples/store).
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../store/fit.h"
#include "../store/model_template.h"
#include "../store/store.h"
#include "hearth/result.h"
#include "json.h"

namespace hearth_server {

using hearth_store::ModelFacts;

/// What a name stands for (examples/store), under the name that requests use.
struct ModelEntry : hearth_store::Entry {
  std::string name{};  ///< without the tag
  std::string tag = "latest";

  ModelEntry() = default;
  explicit ModelEntry(hearth_store::Entry entry)
      : hearth_store::Entry(std::move(entry)), name(id.base()), tag(id.tag) {}

  std::string full_name() const { return name + ":" + tag; }
  /// The name as /v1 shows it: without the tag that every name has.
  std::string short_name() const { return tag == "latest" ? name : full_name(); }
  /// What tells it from others in memory: the same weights with other adapters or another template are another model.
  std::string key() const;
};

/// Files that were named, and a store. What clients make goes into the store's own folder.
class ModelStore {
 public:
  explicit ModelStore(hearth_store::Store store = hearth_store::Store()) : store_(std::move(store)) {}

  /// Adds a file under its own name.
  hearth::Status add_file(const std::string& path);
  /// Adds what a name of the store stands for.
  void add_entry(hearth_store::Entry entry) { files_.emplace_back(std::move(entry)); }
  /// Looks into a folder at every listing: files, or the store of Ollama.
  void add_folder(const std::string& path);
  /// One file was given and no folder: it answers to any name where the protocol does not look.
  bool is_single() const { return !has_folders_ && files_.size() == 1; }
  /// From now on the store's models are offered, too.
  void offer_store() { has_folders_ = true; }

  std::vector<ModelEntry> list() const;
  /// The same as it was within the last second, unless forget_listing() was called since: what other programs have
  /// changed meanwhile may be missing.
  std::shared_ptr<const std::vector<ModelEntry>> recent() const;
  /// Whether recent() gives this listing at once.
  bool is_recent(const std::shared_ptr<const std::vector<ModelEntry>>& listing) const;
  /// Something was changed.
  void forget_listing() const;
  /// By name, with or without tag; upper and lower case are the same where nothing else tells two apart.
  std::optional<ModelEntry> find(const std::string& name) const;
  /// The first; nothing when there is none.
  std::optional<ModelEntry> first() const;
  /// Whether a name that the store has is damaged: why; nothing when it is not, or not there.
  std::optional<hearth::Error> problem(const std::string& name) const;
  const hearth_store::Store& store() const { return store_; }

  /// Facts of a file, remembered until it changes; tools, thinking and infilling as its template is able to.
  ModelFacts facts(const ModelEntry& entry) const;
  /// Settings of the sampler and stop texts where a request says nothing, by the names of requests: what the store
  /// says, then what the file recommends.
  Json defaults(const ModelEntry& entry) const;
  /// Whether a model fits this machine with these options (n_ctx: of one answer; 0: as the server takes it). The speed
  /// of memory is measured in the background; until it is known, tokens_per_second is 0.
  hearth_store::Fit fit(const ModelEntry& entry, hearth::SessionOptions options) const;
  /// The template that a model is talked to with.
  hearth_store::TemplateChoice choose_template(const ModelEntry& entry) const;

 private:
  hearth_store::Store store_;
  bool has_folders_ = false;
  std::vector<ModelEntry> files_;
  std::optional<ModelEntry> find_in(const std::vector<ModelEntry>& entries, const std::string& name) const;

  mutable std::mutex mutex_;  ///< of what follows
  mutable std::shared_ptr<const std::vector<ModelEntry>> recent_;
  mutable std::chrono::steady_clock::time_point recent_since_{};
  mutable std::map<std::string, ModelFacts> facts_;
  mutable std::map<std::string, hearth_store::Fit> fits_;
  mutable std::shared_future<double> speed_;
};

/// "name:tag" in its two parts; "name" has the tag "latest".
std::pair<std::string, std::string> split_name(const std::string& name);
std::string rfc3339(int64_t seconds);

}  // namespace hearth_server
