// Loading and unloading.
#include "models.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>

#include "../store/machine.h"
#include "api_error.h"

namespace hearth_server {
namespace {

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// What lies free between blocks goes back to the system: when a model has come or gone, that is much, and when all
/// have come to rest, nobody waits for it.
void trim_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace

uint64_t available_bytes() {
  return hearth_store::available_memory();
}

Lease::~Lease() {
  if (owner_ == nullptr) return;
  model_.reset();
  owner_->release(entry.key());
}

Models::Models(ModelStore& store, ModelsOptions options)
    : store_(store), options_(std::move(options)), watcher_([this] { watch(); }) {
  options_.session.reuse_prefixes = true;  // as engines do, so that plans say what they take
}

Models::~Models() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  watcher_.join();
}

ModelEntry Models::find(const std::string& name, bool any_name) const {
  auto found = store_.find(name);
  if (!found && (any_name || name.empty()) && store_.is_single()) found = store_.first();
  if (!found) {
    if (const auto damage = store_.problem(name)) {
      if (damage->code != hearth::ErrorCode::kInvalidArgument) throw ApiError(500, damage->message);
    }
  }
  if (!found) throw ApiError(404, "model '" + name.substr(0, 200) + "' not found", "model_not_found");
  return std::move(*found);
}

Lease Models::use(const std::string& name, bool any_name, std::optional<double> keep_alive, bool touch) {
  ModelEntry entry = find(name, any_name);
  const auto start = Clock::now();
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[entry.key()];
  ++slot.users;  // also while it waits: the model does not go again before
  is_trimmed_ = false;
  try {
    bring(lock, slot, entry, touch);
  } catch (...) {
    --slot.users;
    throw;
  }
  slot.keep_alive = keep_alive.value_or(options_.keep_alive);
  slot.last_used = Clock::now();
  return Lease(this, slot.model, std::move(entry), seconds_between(start, Clock::now()));
}

/// Loads the model of a slot, or waits for who does. The lock is held before and afterwards, failures included.
void Models::bring(std::unique_lock<std::mutex>& lock, Slot& slot, const ModelEntry& entry, bool touch) {
  while (!slot.model) {
    if (ending_) throw ApiError(503, "the server is being stopped");
    if (slot.loading) {
      changed_.wait(lock);
      continue;
    }
    slot.entry = entry;
    slot.loading = true;
    slot.progress = 0;
    lock.unlock();
    std::shared_ptr<LoadedModel> model;
    std::optional<ApiError> failure;
    try {
      model = load(entry, touch);
    } catch (const ApiError& error) {
      failure = error;
    } catch (const std::exception& error) {
      failure = ApiError(500, error.what());
    }
    lock.lock();
    slot.loading = slot.has_place = false;
    slot.model = std::move(model);
    changed_.notify_all();
    if (failure) throw *failure;
  }
}

void Models::release(const std::string& key) {
  std::shared_ptr<LoadedModel> dropped;  // goes after the lock
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[key];
  slot.last_used = Clock::now();
  if (--slot.users == 0 && slot.keep_alive == 0) dropped = std::move(slot.model);
  changed_.notify_all();
}

bool Models::unload(const ModelEntry& entry) {
  std::shared_ptr<LoadedModel> dropped;
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(entry.key());
  if (found == slots_.end() || !found->second.model) return false;
  found->second.keep_alive = 0;
  if (found->second.users == 0) dropped = std::move(found->second.model);
  return true;
}

std::vector<Models::State> Models::loaded() const {
  std::vector<const Slot*> slots;
  std::vector<State> states;
  const std::lock_guard lock(mutex_);
  for (const auto& [path, slot] : slots_)
    if (slot.model) slots.push_back(&slot);
  std::stable_sort(slots.begin(), slots.end(), [](auto* a, auto* b) { return a->last_used > b->last_used; });
  for (const Slot* slot : slots) {
    const double idle = slot->users > 0 ? 0 : seconds_between(slot->last_used, Clock::now());
    states.push_back({slot->entry, slot->model, slot->keep_alive < 0 ? -1 : std::max(slot->keep_alive - idle, 0.0)});
  }
  return states;
}

bool Models::is_loading() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& entry) { return entry.second.loading; });
}

std::optional<double> Models::progress(const ModelEntry& entry) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(entry.key());
  if (found == slots_.end() || !found->second.loading) return std::nullopt;
  return found->second.progress;
}

void Models::configure(const ModelEntry& entry, const LoadSettings& settings) {
  std::shared_ptr<LoadedModel> dropped;  // goes after the lock
  const std::lock_guard lock(mutex_);
  Slot& slot = slots_[entry.key()];
  if (slot.settings == settings) return;
  if (slot.loading || (slot.model && slot.users > 0)) {
    throw ApiError(409, "'" + entry.short_name() + "' is in use; try again when its answers have ended");
  }
  dropped = std::move(slot.model);
  slot.settings = settings;
}

/// What the server was told, and what was asked for this model besides; n_ctx is that of one answer.
hearth::SessionOptions Models::session_options(const ModelEntry& entry) const {
  hearth::SessionOptions session = options_.session;
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(entry.key());
  if (found == slots_.end()) return session;
  const LoadSettings& settings = found->second.settings;
  if (settings.n_ctx > 0) session.n_ctx = settings.n_ctx;
  session.k_type = settings.k_type.value_or(session.k_type);
  session.v_type = settings.v_type.value_or(session.v_type);
  return session;
}

/// Unloads the idle model that was not used for longest.
bool Models::drop_one_idle() {
  std::shared_ptr<LoadedModel> dropped;
  const std::lock_guard lock(mutex_);
  Slot* oldest = nullptr;
  for (auto& [path, slot] : slots_) {
    if (!slot.model || slot.users > 0) continue;
    if (oldest == nullptr || slot.last_used < oldest->last_used) oldest = &slot;
  }
  if (oldest == nullptr) return false;
  dropped = std::move(oldest->model);
  return true;
}

/// Takes one of the places for models, so that loads at the same time do not pass the limit together; false: none is
/// free.
bool Models::take_place(const std::string& key, bool beyond_limit) {
  const std::lock_guard lock(mutex_);
  const auto n = std::count_if(slots_.begin(), slots_.end(),
                               [](const auto& entry) { return entry.second.model || entry.second.has_place; });
  if (!beyond_limit && n >= options_.max_loaded) return false;
  return slots_[key].has_place = true;
}

std::shared_ptr<LoadedModel> Models::load(const ModelEntry& entry, bool touch) {
  hearth::SessionOptions session = session_options(entry);
  session.n_ctx = session.n_ctx * session.n_seqs;
  const auto plan = hearth::Model::plan(entry.path, session);
  const uint64_t wanted = plan ? plan->total() : entry.bytes;
  for (;;) {
    const uint64_t available = available_bytes();
    const bool short_of_memory = available > 0 && wanted > available;
    if (!short_of_memory && take_place(entry.key())) break;
    if (!drop_one_idle()) {  // those in use stay
      take_place(entry.key(), true);
      break;
    }
  }
  for (;;) {
    try {
      auto model = open(entry, touch);
      trim_memory();
      return model;
    } catch (const ApiError& error) {
      if (error.status != 503 || !drop_one_idle()) throw;
    }
  }
}

std::shared_ptr<AdapterList> Models::open_adapters(const ModelEntry& entry, const hearth::Model& model) const {
  auto list = std::make_shared<AdapterList>();
  auto files = options_.loras;
  for (const std::string& path : entry.adapters) files.emplace_back(path, 1.0f);
  for (const auto& [path, scale] : files) {
    auto adapter = hearth::Adapter::load(path, model);
    if (!adapter) throw ApiError(500, adapter.error().message);
    list->entries.push_back({path, std::move(*adapter), scale});
  }
  return list;
}

/// The file that was asked for besides the model; empty: no drafts; nothing: as the server was told.
std::optional<std::string> Models::wanted_draft(const ModelEntry& entry) const {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(entry.key());
  return found == slots_.end() ? std::nullopt : found->second.settings.draft;
}

std::optional<hearth::EngineDrafts> Models::open_drafts(const std::string& path) const {
  hearth::EngineDrafts drafts{.options = {.max_draft = options_.max_draft}};
  if (path.empty()) return drafts;
  auto model = hearth::Model::open(path, {.prefetch = false});
  if (!model) throw ApiError(500, "cannot load the draft model '" + path + "': " + model.error().message);
  drafts.model.emplace(std::move(*model));
  return drafts;
}

std::shared_ptr<LoadedModel> Models::open(const ModelEntry& entry, bool touch) {
  const auto start = Clock::now();
  hearth::ModelOptions reading{.prefetch = touch && entry.bytes < available_bytes()};
  reading.progress = [&](uint64_t done, uint64_t total) {
    const std::lock_guard lock(mutex_);
    slots_[entry.key()].progress = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
    return !ending_;
  };
  // Weights whose digest is known are compared with it once, and again when the file has changed.
  const auto sound = store_.store().check_weights(entry, [&](uint64_t, uint64_t) { return !ending_; });
  if (!sound) throw ApiError(500, "cannot load '" + entry.short_name() + "': " + sound.error().message);
  auto model = hearth::Model::open(entry.path, reading);
  if (!model) throw ApiError(500, "cannot load '" + entry.short_name() + "': " + model.error().message);
  hearth::EngineOptions options;
  options.session = session_options(entry);
  options.max_queue = options_.max_queue;
  const int32_t n_train = model->info().n_ctx_train;
  int32_t n_ctx = options.session.n_ctx;
  if (n_ctx == 0) n_ctx = std::min(n_train > 0 ? n_train : 4096, 4096);
  options.session.n_ctx = n_ctx * options.session.n_seqs;
  ModelFacts facts = store_.facts(entry);
  if (!model->info().causal || facts.is_encoder) {
    options.embedder = hearth::EmbedderOptions{.normalize = false, .n_threads = options_.session.n_threads};
    n_ctx = n_train;
  }
  auto adapters = open_adapters(entry, *model);
  for (const auto& file : adapters->entries) options.session.adapters.push_back({file.adapter, file.scale});
  if (options.embedder) options.embedder->adapters = options.session.adapters;
  const auto wanted = wanted_draft(entry);
  const std::string draft = wanted.value_or(options_.draft);
  const bool lookup = !wanted && options_.lookup;
  if (model->info().causal && (lookup || !draft.empty())) options.drafts = open_drafts(draft);
  if (!wanted && options_.mtp && model->info().has_mtp) {
    options.drafts = open_drafts({});
    options.drafts->mtp = options.session.mtp = true;
  }
  auto engine = hearth::Engine::create(*model, options);
  if (!engine) throw api_error(engine.error());
  auto plan = model->plan(options.session);
  const auto choice = store_.choose_template(entry);
  auto chat = hearth_store::compile_template(choice, model->file(), model->tokenizer());
  std::optional<hearth::ChatTemplate> usable;
  const bool infills = chat && choice.is_go && choice.can("insert");
  if (chat) usable = std::move(*chat);
  return std::make_shared<LoadedModel>(
      LoadedModel{std::move(*model), std::move(*engine), std::move(usable), std::move(facts), entry.path, n_ctx,
                  plan ? plan->total() : entry.bytes, seconds_between(start, Clock::now()), std::move(adapters), draft,
                  infills, options_.reuse_stretches});
}

/// Unloads what nobody has used for its time, and notices when all have come to rest.
void Models::watch() {
  constexpr double kRest = 1.5;  // seconds: threads that wait for nothing have gone (WorkerPool)
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, std::chrono::milliseconds(500));
    std::vector<std::shared_ptr<LoadedModel>> dropped;
    bool rests = true;
    for (auto& [path, slot] : slots_) {
      const double idle = seconds_between(slot.last_used, Clock::now());
      const bool overdue = slot.keep_alive >= 0 && idle > slot.keep_alive;
      if (slot.model && slot.users == 0 && overdue) dropped.push_back(std::move(slot.model));
      rests = rests && slot.users == 0 && !slot.loading && idle > kRest;
    }
    if (dropped.empty() && (is_trimmed_ || !rests)) continue;
    is_trimmed_ = rests;
    lock.unlock();
    dropped.clear();
    trim_memory();
    lock.lock();
  }
}

}  // namespace hearth_server
