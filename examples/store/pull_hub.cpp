// The Hugging Face hub: a listing of a repository's files with their sizes and SHA-256, and the files.
#include <algorithm>
#include <map>

#include "pull.h"
#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

namespace {

struct HubFile {
  std::string path, digest;
  int64_t size = -1;
};

/// The address behind rel="next" of a header Link.
std::string next_page(const HttpTold& told) {
  const auto link = told.headers.find("link");
  if (link == told.headers.end() || link->second.find("rel=\"next\"") == std::string::npos) return {};
  const size_t begin = link->second.find('<'), end = link->second.find('>');
  return begin < end && end != std::string::npos ? link->second.substr(begin + 1, end - begin - 1) : "";
}

HttpAsk hub_ask(const std::string& endpoint, const std::string& path) {
  HttpAsk ask{.url = endpoint + path, .allow_plain = split_url(endpoint).scheme == "http"};
  std::string token = environment_text("HF_TOKEN");
  if (token.empty()) token = environment_text("HUGGING_FACE_HUB_TOKEN");
  if (!token.empty()) ask.headers.push_back("Authorization: Bearer " + token);
  return ask;
}

/// A path of a repository goes into an address and into a name: it must be one that leads nowhere else.
bool is_plain_path(const std::string& path) {
  if (path.empty() || path.size() > 512 || path[0] == '/') return false;
  if (("/" + path + "/").find("/../") != std::string::npos || path.find("//") != std::string::npos) return false;
  return std::all_of(path.begin(), path.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

Result<std::vector<HubFile>> list_files(const std::string& endpoint, const ModelName& name,
                                        const IsStopped& is_stopped) {
  std::vector<HubFile> files;
  const std::string repository = "/" + name.owner + "/" + name.model;
  HttpAsk ask = hub_ask(endpoint, "/api/models" + repository + "/tree/main?recursive=true");
  for (int page = 0; page < 50; ++page) {
    const auto answer = http_text(ask, 16 << 20, is_stopped);
    if (!answer) return answer.error();
    const long status = answer->told.status;
    if (status == 401 || status == 403 || status == 404) {
      return Error{ErrorCode::kNotFound, "the hub has no repository " + shown(name.owner + "/" + name.model) +
                                             ", or it is not open to us (HF_TOKEN may hold a token)"};
    }
    if (status != 200) return Error{ErrorCode::kIo, "the hub answers " + std::to_string(status)};
    const Json list = parse_json(answer->body);
    if (!list.is_array()) return Error{ErrorCode::kFormat, "the hub's listing is none"};
    for (const Json& one : list) {
      if (!one.is_object() || !one.contains("path") || !one["path"].is_string()) continue;
      HubFile file{.path = one["path"].get<std::string>(), .digest = {}};
      if (!lower_case(file.path).ends_with(".gguf") || !is_plain_path(file.path)) continue;
      const Json& lfs = one.contains("lfs") && one["lfs"].is_object() ? one["lfs"] : one;
      if (lfs.contains("size") && lfs["size"].is_number_integer()) file.size = lfs["size"].get<int64_t>();
      const bool has_digest = &lfs != &one && lfs.contains("oid") && lfs["oid"].is_string();
      if (has_digest) file.digest = digest_hex("sha256:" + lfs["oid"].get<std::string>()).value_or("");
      if (file.size < 0) return Error{ErrorCode::kFormat, "the hub's listing has no size for " + shown(file.path)};
      files.push_back(std::move(file));
    }
    const std::string next = next_page(answer->told);
    if (next.empty()) break;
    if (split_url(next).host != split_url(endpoint).host)
      return Error{ErrorCode::kFormat, "the hub's listing leads elsewhere"};
    ask.url = next;
  }
  return files;
}

std::string stem_of(const std::string& path) {
  return path_of(path).stem().string();
}

/// Files by what they are a model of: a whole one, or all parts of a split one in order.
std::map<std::string, std::vector<HubFile>> models_of(const std::vector<HubFile>& files) {
  std::map<std::string, std::vector<HubFile>> models;
  for (const HubFile& file : files) {
    std::string stem = stem_of(file.path);
    const std::string lower = lower_case(stem);
    if (lower.find("mmproj") != std::string::npos || lower.find("imatrix") != std::string::npos) continue;
    const size_t of = stem.rfind("-of-");
    if (of != std::string::npos && of > 6 && stem.size() == of + 9 && stem[of - 6] == '-') stem.resize(of - 6);
    models[stem].push_back(file);
  }
  for (auto& [stem, parts] : models)
    std::sort(parts.begin(), parts.end(), [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
  return models;
}

/// How many parts a file's name says there are.
size_t n_parts(const HubFile& file) {
  const std::string stem = stem_of(file.path);
  const size_t of = stem.rfind("-of-");
  return of == std::string::npos || stem.size() != of + 9 ? 1 : std::strtoul(stem.c_str() + of + 4, nullptr, 10);
}

}  // namespace

Result<PullPlan> plan_hub(const ModelName& name, bool has_tag, const IsStopped& is_stopped) {
  std::string endpoint = environment_text("HF_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (endpoint.empty()) endpoint = "https://huggingface.co";
  const auto files = list_files(endpoint, name, is_stopped);
  if (!files) return files.error();
  const auto models = models_of(*files);
  if (models.empty()) {
    return Error{ErrorCode::kNotFound,
                 "the repository " + shown(name.owner + "/" + name.model) + " has no files in GGUF"};
  }
  const std::vector<HubFile>* chosen = nullptr;
  std::string chosen_stem, there;
  const auto choose = [&](const std::string& wanted) {
    for (const auto& [stem, parts] : models) {
      const bool is_it = lower_case(quantization_in_name(stem)) == wanted || lower_case(stem) == wanted;
      if (is_it && chosen == nullptr) chosen = &parts, chosen_stem = stem;
    }
  };
  if (has_tag && lower_case(name.tag) != kDefaultTag) {
    choose(lower_case(name.tag));
  } else {
    for (const char* usual : {"q4_k_m", "q4_0", "q4_k_s", "q8_0"}) choose(usual);
    if (chosen == nullptr) chosen = &models.begin()->second, chosen_stem = models.begin()->first;
  }
  if (chosen == nullptr) {
    for (const auto& [stem, parts] : models) {
      const std::string quantization = quantization_in_name(stem);
      if (there.size() < 200) there += (there.empty() ? "" : ", ") + (quantization.empty() ? stem : quantization);
    }
    return Error{ErrorCode::kNotFound,
                 shown(name.owner + "/" + name.model) + " has no " + shown(name.tag) + "; there is " + there};
  }
  if (n_parts(chosen->front()) != chosen->size()) {
    return Error{ErrorCode::kFormat, shown(chosen_stem) + " has " + std::to_string(n_parts(chosen->front())) +
                                         " parts, but the repository lists " + std::to_string(chosen->size())};
  }
  PullPlan plan{.name = name, .manifest = {}};
  const std::string quantization = quantization_in_name(chosen_stem);
  plan.name.tag = clean_part(quantization.empty() ? chosen_stem : quantization);
  for (const HubFile& file : *chosen) {
    Remote remote{.kind = "model", .digest = file.digest, .size = file.size, .title = {}};
    remote.ask = hub_ask(endpoint, "/" + name.owner + "/" + name.model + "/resolve/main/" + escape_path(file.path));
    remote.title = chosen->size() > 1 ? path_of(file.path).filename().string() : "";
    plan.files.push_back(std::move(remote));
  }
  return plan;
}

}  // namespace hearth_store
