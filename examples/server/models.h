// Models in memory: loaded when asked for by name, each with an engine of its own, unloaded when nobody has asked for
// a while.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "hearth/chat_template.h"
#include "hearth/engine.h"
#include "model_store.h"

namespace hearth_server {

struct ModelsOptions {
  hearth::SessionOptions session{};  ///< n_ctx: of one answer; n_seqs: answers at once
  int32_t max_queue = 256;
  std::vector<std::pair<std::string, float>> loras{};  ///< files of adapters for every model, and how much of each
  std::string draft{};                                 ///< file of a smaller model that guesses ahead
  bool lookup = false;                                 ///< guess by what stands in the text
  bool mtp = false;                                    ///< guess with the layer of models that have one for that
  int32_t max_draft = 16;                              ///< tokens guessed at once
  int32_t reuse_stretches = 0;                         ///< of requests that say nothing (GenerateOptions)
  double keep_alive = 300;                             ///< seconds; < 0: for ever
  int32_t max_loaded = 3;                              ///< models at once; idle ones make room
};

/// How a model is loaded, where that differs from what the server was told.
struct LoadSettings {
  int32_t n_ctx = 0;  ///< of one answer; 0: as the server was told
  std::optional<hearth::KVType> k_type{}, v_type{};
  std::optional<std::string> draft{};  ///< file of a smaller model that guesses ahead; empty: none
  bool operator==(const LoadSettings&) const = default;
};

/// The adapters of a model, and how much of each where a request says nothing.
struct AdapterList {
  struct Entry {
    std::string path;
    hearth::Adapter adapter;
    float scale;
  };
  std::vector<Entry> entries;  ///< all but the scales stay as they are
  std::mutex mutex;            ///< of the scales
};

/// A model and what answers with it.
struct LoadedModel {
  hearth::Model model;
  hearth::Engine engine;
  std::optional<hearth::ChatTemplate> chat;
  ModelFacts facts;
  std::string path;
  int32_t n_ctx = 0;   ///< of one answer
  uint64_t bytes = 0;  ///< of memory
  double load_seconds = 0;
  std::shared_ptr<AdapterList> adapters{};
  std::string draft{};               ///< file of the model that guesses ahead; empty: none
  bool infills_by_template = false;  ///< its store's template takes a prompt and a suffix
  int32_t reuse_stretches = 0;       ///< of requests that say nothing (GenerateOptions)
};

/// Memory that can be had without swapping, as Linux tells it; 0: unknown.
uint64_t available_bytes();

class Models;

/// A model in use: it stays loaded. Movable.
class Lease {
 public:
  Lease(Models* owner, std::shared_ptr<LoadedModel> model, ModelEntry of, double seconds)
      : load_seconds(seconds), entry(std::move(of)), owner_(owner), model_(std::move(model)) {}
  Lease(Lease&& other) noexcept
      : load_seconds(other.load_seconds),
        entry(std::move(other.entry)),
        owner_(std::exchange(other.owner_, nullptr)),
        model_(std::move(other.model_)) {}
  ~Lease();

  LoadedModel* operator->() const { return model_.get(); }
  LoadedModel& operator*() const { return *model_; }
  double load_seconds;  ///< that this request had to wait for
  ModelEntry entry;

 private:
  Models* owner_;
  std::shared_ptr<LoadedModel> model_;
};

class Models {
 public:
  Models(ModelStore& store, ModelsOptions options);
  ~Models();
  Models(const Models&) = delete;

  /// The model of that name, loaded; `any_name`: with a single model the name is not looked at. keep_alive: seconds
  /// from the last use on, < 0 for ever, nothing: as the server does. Throws ApiError.
  /// `touch`: where it must be loaded, its weights are read from the disk now, and progress() tells how far.
  Lease use(const std::string& name, bool any_name, std::optional<double> keep_alive = std::nullopt,
            bool touch = false);
  /// How this model is loaded from now on; if it is loaded otherwise, it is unloaded. ApiError (409): it is in use.
  void configure(const ModelEntry& entry, const LoadSettings& settings);
  /// The entry alone. Throws ApiError (404).
  ModelEntry find(const std::string& name, bool any_name) const;
  /// Unloads as soon as nobody uses it; false when it is not loaded.
  bool unload(const ModelEntry& entry);

  struct State {
    ModelEntry entry;
    std::shared_ptr<LoadedModel> model;
    double expires_in = 0;  ///< seconds; < 0: never
  };
  std::vector<State> loaded() const;  ///< the one used last comes first
  bool is_loading() const;
  /// Of a model that is being loaded: the part of its weights that has been read, 0 to 1; nothing: it is not.
  std::optional<double> progress(const ModelEntry& entry) const;
  ModelStore& store() { return store_; }
  const ModelsOptions& options() const { return options_; }

 private:
  friend class Lease;
  using Clock = std::chrono::steady_clock;
  struct Slot {
    ModelEntry entry;
    std::shared_ptr<LoadedModel> model;
    LoadSettings settings{};
    bool loading = false;
    bool has_place = false;  ///< counts as loaded while it loads
    double progress = 0;
    int users = 0;  ///< those that wait for it included
    double keep_alive = 0;
    Clock::time_point last_used{};
  };

  void bring(std::unique_lock<std::mutex>& lock, Slot& slot, const ModelEntry& entry, bool touch);
  void release(const std::string& key);
  hearth::SessionOptions session_options(const ModelEntry& entry) const;
  std::optional<std::string> wanted_draft(const ModelEntry& entry) const;
  std::shared_ptr<LoadedModel> load(const ModelEntry& entry, bool touch);
  std::shared_ptr<AdapterList> open_adapters(const ModelEntry& entry, const hearth::Model& model) const;
  std::optional<hearth::EngineDrafts> open_drafts(const std::string& path) const;
  std::shared_ptr<LoadedModel> open(const ModelEntry& entry, bool touch);
  bool take_place(const std::string& key, bool beyond_limit = false);
  bool drop_one_idle();
  void watch();

  ModelStore& store_;
  ModelsOptions options_;
  mutable std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  std::map<std::string, Slot> slots_;  ///< by ModelEntry::key()
  bool ending_ = false;
  bool is_trimmed_ = true;  ///< memory was given back since a model was last used
  std::thread watcher_;
};

}  // namespace hearth_server
