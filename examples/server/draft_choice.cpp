// Vocabularies of files, by hash.
#include "draft_choice.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>

#include "hearth/gguf.h"

namespace hearth_server {
namespace {

constexpr size_t kCompared = 30000;    ///< tokens
constexpr size_t kMostPadding = 1024;  ///< tokens that one of two may have more
constexpr double kSmaller = 0.75;      ///< of the parameters of its target, at most

VocabularyKey read_key(const std::string& path) {
  const auto file = hearth::GgufFile::open(path, {.metadata_only = true});
  if (!file) return {};
  const auto* value = file->find("tokenizer.ggml.tokens");
  if (value == nullptr) return {};
  const auto tokens = value->as_string_array();
  if (!tokens || tokens->empty()) return {};
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ 0xffu) * 0x100000001b3u;  // no token of UTF-8 holds this byte
  };
  for (size_t i = 0; i < std::min(tokens->size(), kCompared); ++i) add((*tokens)[i]);
  for (const char* key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"}) {
    const auto id = file->get_int(key);
    add(id ? std::to_string(*id) : "none");
  }
  return {std::max<uint64_t>(hash, 1), tokens->size()};
}

}  // namespace

VocabularyKey vocabulary_key(const ModelEntry& entry) {
  static std::mutex mutex;
  static std::map<std::string, VocabularyKey> known;
  const std::string name = entry.path + "\n" + std::to_string(entry.modified) + "\n" + std::to_string(entry.bytes);
  {
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(name); found != known.end()) return found->second;
  }
  const VocabularyKey key = read_key(entry.path);
  const std::lock_guard lock(mutex);
  return known[name] = key;
}

std::vector<std::string> drafts_for(const ModelStore& store, const std::vector<ModelEntry>& entries,
                                    const ModelEntry& target) {
  std::vector<std::string> names;
  const VocabularyKey own = vocabulary_key(target);
  if (own.hash == 0) return names;
  const auto most = kSmaller * static_cast<double>(store.facts(target).n_parameters);
  for (const ModelEntry& entry : entries) {
    const VocabularyKey key = vocabulary_key(entry);
    const size_t more = std::max(key.n_tokens, own.n_tokens) - std::min(key.n_tokens, own.n_tokens);
    if (entry.path == target.path || key.hash != own.hash || more > kMostPadding) continue;
    const ModelFacts facts = store.facts(entry);
    if (!facts.is_encoder && static_cast<double>(facts.n_parameters) <= most) names.push_back(entry.short_name());
  }
  return names;
}

}  // namespace hearth_server
