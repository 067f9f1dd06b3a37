// Names of models, and where their files lie.
#include "model_store.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>

#include "../store/machine.h"
#include "../store/sources.h"

namespace hearth_server {

namespace fs = std::filesystem;

using hearth_store::lower_case;

std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t colon = name.rfind(':'), slash = name.rfind('/');
  if (colon == std::string::npos || (slash != std::string::npos && slash > colon)) return {name, "latest"};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::string rfc3339(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string ModelEntry::key() const {
  std::string key = path;
  for (const std::string& adapter : adapters) key += "\n" + adapter;
  return has_template ? key + "\n" + hearth_store::sha256_hex(template_text) : key;
}

hearth::Status ModelStore::add_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return hearth::Error{hearth::ErrorCode::kNotFound, path + ": there is no such file"};
  }
  files_.emplace_back(hearth_store::entry_of_file(fs::absolute(path, error)));
  return {};
}

void ModelStore::add_folder(const std::string& path) {
  store_.add(hearth_store::Origin::kFolder, path);
  has_folders_ = true;
}

std::vector<ModelEntry> ModelStore::list() const {
  std::vector<ModelEntry> entries = files_;
  for (hearth_store::Entry& entry : store_.list().entries) {
    const auto is_it = [&](const ModelEntry& file) { return file.path == entry.path && entry.manifest.layers.empty(); };
    if (std::none_of(files_.begin(), files_.end(), is_it)) entries.emplace_back(std::move(entry));
  }
  return entries;
}

std::shared_ptr<const std::vector<ModelEntry>> ModelStore::recent() const {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (recent_ && now - recent_since_ < std::chrono::seconds(1)) return recent_;
  }
  auto entries = std::make_shared<const std::vector<ModelEntry>>(list());
  const std::lock_guard lock(mutex_);
  if (now < recent_since_) return entries;  // something was changed meanwhile
  recent_since_ = now;
  return recent_ = std::move(entries);
}

bool ModelStore::is_recent(const std::shared_ptr<const std::vector<ModelEntry>>& listing) const {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  return listing && listing == recent_ && now - recent_since_ < std::chrono::milliseconds(900);
}

void ModelStore::forget_listing() const {
  const std::lock_guard lock(mutex_);
  recent_ = nullptr;
  recent_since_ = std::chrono::steady_clock::now();
}

std::optional<ModelEntry> ModelStore::find_in(const std::vector<ModelEntry>& entries, const std::string& name) const {
  const auto [base, tag] = split_name(name);
  const ModelEntry* alike = nullptr;
  for (const ModelEntry& entry : entries) {
    if (entry.name == base && entry.tag == tag) return entry;
    const bool same = lower_case(entry.full_name()) == lower_case(base + ":" + tag) || entry.path == name ||
                      fs::path(entry.path).filename().string() == name;
    if (same && alike == nullptr) alike = &entry;
  }
  return alike != nullptr ? std::optional<ModelEntry>(*alike) : std::nullopt;
}

std::optional<ModelEntry> ModelStore::find(const std::string& name) const {
  // What was there a moment ago may have been changed by others, but is looked at when it is opened.
  if (auto entry = find_in(*recent(), name); entry && fs::exists(entry->path)) return entry;
  if (auto entry = find_in(list(), name)) return entry;
  auto entry = store_.find(name);  // other spellings: with a host, of the hub, without a tag
  if (entry) return ModelEntry(std::move(*entry));
  return std::nullopt;
}

std::optional<hearth::Error> ModelStore::problem(const std::string& name) const {
  const auto entry = store_.find(name);
  if (entry || entry.error().code == hearth::ErrorCode::kNotFound) return std::nullopt;
  return entry.error();
}

std::optional<ModelEntry> ModelStore::first() const {
  auto entries = list();
  return entries.empty() ? std::nullopt : std::optional(std::move(entries.front()));
}

ModelFacts ModelStore::facts(const ModelEntry& entry) const {
  const std::string key = entry.key() + "\n" + std::to_string(entry.modified) + "\n" + std::to_string(entry.bytes);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = facts_.find(key); found != facts_.end()) return found->second;
  }
  ModelFacts facts = hearth_store::read_facts(entry.path);
  if (entry.has_template) {
    const auto choice = hearth_store::choose_template(entry, facts);
    if (choice.is_go) {
      facts.has_tools = choice.can("tools");
      facts.can_think = choice.can("thinking");
      facts.can_insert = facts.can_insert || choice.can("insert");
    }
  }
  const std::lock_guard lock(mutex_);
  return facts_[key] = std::move(facts);
}

Json ModelStore::defaults(const ModelEntry& entry) const {
  Json out = Json::object();
  for (const auto& [name, value] : facts(entry).sampling) out[name] = value;
  for (const auto& [name, value] : entry.parameters.items())
    if (name == "stop" || name == "seed" || value.is_number_float() || name == "top_k" || name == "repeat_last_n" ||
        name == "mirostat" || name == "temperature")
      out[name] = value;
  return out;
}

hearth_store::Fit ModelStore::fit(const ModelEntry& entry, hearth::SessionOptions options) const {
  const uint64_t available = hearth_store::available_memory();
  double speed = 0;
  std::string key = entry.key() + "\n" + std::to_string(entry.modified) + "\n" + std::to_string(available >> 28);
  {
    const std::lock_guard lock(mutex_);
    if (!speed_.valid()) {
      speed_ = std::async(std::launch::async, [own = store_.own()] { return hearth_store::read_speed(own); });
    }
    if (speed_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) speed = speed_.get();
    key += speed > 0 ? "\nwith speed" : "";
    if (const auto found = fits_.find(key); found != fits_.end()) return found->second;
    if (fits_.size() > 1000) fits_.clear();
  }
  const int32_t n_train = facts(entry).n_ctx_train;
  if (options.n_ctx == 0) options.n_ctx = std::min(n_train > 0 ? n_train : 4096, 4096);
  auto fit = hearth_store::find_fit(entry.path, options, available, speed);
  const std::lock_guard lock(mutex_);
  return fits_[key] = std::move(fit);
}

hearth_store::TemplateChoice ModelStore::choose_template(const ModelEntry& entry) const {
  return hearth_store::choose_template(entry, facts(entry));
}

}  // namespace hearth_server
