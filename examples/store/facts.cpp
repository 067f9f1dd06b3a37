// What a model file says of itself.
#include "facts.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

#include "hearth/gguf.h"
#include "manifest.h"

namespace hearth_store {
namespace {

using hearth::GgufFile;

std::string text_of(const GgufFile& file, const std::string& key) {
  const auto text = file.get_string(key);
  return text ? std::string(*text) : std::string();
}

int32_t int_of(const GgufFile& file, const std::string& key) {
  const auto number = file.get_int(key);
  return number ? static_cast<int32_t>(std::clamp<int64_t>(*number, 0, INT32_MAX)) : 0;
}

/// Names of general.file_type; where it says nothing, the type of most bytes.
std::string quantization_of(const GgufFile& file) {
  static constexpr struct {
    int type;
    const char* name;
  } kNames[] = {{0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},     {8, "Q5_0"},
                {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"},  {14, "Q4_K_S"},
                {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},  {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"},
                {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"},  {26, "IQ3_S"},
                {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},   {32, "BF16"},
                {36, "TQ1_0"},  {37, "TQ2_0"},  {38, "MXFP4"}};
  const auto type = file.get_int("general.file_type");
  for (const auto& entry : kNames)
    if (type && *type == entry.type) return entry.name;
  std::map<std::string, uint64_t> bytes;
  for (const auto& tensor : file.tensors()) {
    const auto* info = hearth::tensor_type_info(tensor.type);
    if (info != nullptr) bytes[info->name] += tensor.size_bytes;
  }
  const auto most = std::max_element(bytes.begin(), bytes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "unknown" : most->first;
}

/// Settings of the sampler that the file recommends.
std::vector<std::pair<std::string, double>> sampling_of(const GgufFile& file) {
  static constexpr std::pair<const char*, const char*> kKeys[] = {{"temp", "temperature"},
                                                                  {"top_k", "top_k"},
                                                                  {"top_p", "top_p"},
                                                                  {"min_p", "min_p"},
                                                                  {"xtc_probability", "xtc_probability"},
                                                                  {"xtc_threshold", "xtc_threshold"},
                                                                  {"penalty_last_n", "repeat_last_n"},
                                                                  {"penalty_repeat", "repeat_penalty"},
                                                                  {"mirostat", "mirostat"},
                                                                  {"mirostat_tau", "mirostat_tau"},
                                                                  {"mirostat_eta", "mirostat_eta"}};
  std::vector<std::pair<std::string, double>> out;
  for (const auto& [key, name] : kKeys) {
    const auto* value = file.find(std::string("general.sampling.") + key);
    const auto number = value != nullptr ? value->as_float() : hearth::Result<double>(hearth::Error{});
    if (!number || !(*number >= -1e9 && *number <= 1e9)) continue;
    char text[32];  // as the makers wrote it: 0.7, not 0.699999988
    std::snprintf(text, sizeof text, "%.7g", *number);
    out.emplace_back(name, std::strtod(text, nullptr));
  }
  return out;
}

/// Whether the vocabulary has tokens for text between two texts.
bool can_insert(const GgufFile& file) {
  if (file.find("tokenizer.ggml.fim_pre_token_id") != nullptr) return true;
  if (file.find("tokenizer.ggml.prefix_token_id") != nullptr) return true;
  const auto* tokens = file.find("tokenizer.ggml.tokens");
  if (tokens == nullptr) return false;
  const auto list = tokens->as_string_array();
  constexpr std::array<std::string_view, 4> kNames{"<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<PRE>"};
  return list && std::any_of(list->begin(), list->end(), [&](std::string_view token) {
           return std::find(kNames.begin(), kNames.end(), token) != kNames.end();
         });
}

}  // namespace

std::string ModelFacts::parameter_size() const {
  const auto n = static_cast<double>(n_parameters);
  char text[32];
  if (n >= 1e9) {
    std::snprintf(text, sizeof text, "%.1fB", n / 1e9);
  } else if (n >= 1e6) {
    std::snprintf(text, sizeof text, n >= 1e7 ? "%.0fM" : "%.2fM", n / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%.0fK", n / 1e3);
  }
  return text;
}

ModelFacts read_facts(const std::string& path) {
  ModelFacts facts;
  if (const auto file = GgufFile::open(path, {.metadata_only = true})) {
    facts.architecture = text_of(*file, "general.architecture");
    facts.name = text_of(*file, "general.name");
    facts.quantization = quantization_of(*file);
    for (const auto& tensor : file->tensors()) facts.n_parameters += tensor.n_elements;
    facts.n_ctx_train = int_of(*file, facts.architecture + ".context_length");
    facts.d_model = int_of(*file, facts.architecture + ".embedding_length");
    const auto causal = file->get_bool(facts.architecture + ".attention.causal");
    const int32_t pooling = int_of(*file, facts.architecture + ".pooling_type");
    facts.is_encoder = (causal && !*causal) || pooling != 0 || facts.architecture.find("bert") != std::string::npos;
    facts.can_rank = pooling == 4;
    facts.chat_template = text_of(*file, "tokenizer.chat_template");
    const auto says = [&](const char* word) { return facts.chat_template.find(word) != std::string::npos; };
    facts.has_tools = says("tools");
    facts.can_think = says("enable_thinking") || says("reasoning_content") || says("<think>");
    facts.can_insert = can_insert(*file);
    facts.sampling = sampling_of(*file);
  }
  return facts;
}

std::string config_text(const ModelFacts& facts) {
  const std::string family = facts.architecture.empty() ? "unknown" : facts.architecture;
  const Json config = {{"model_format", "gguf"},
                       {"model_family", family},
                       {"model_families", {family}},
                       {"model_type", facts.parameter_size()},
                       {"file_type", facts.quantization},
                       {"architecture", "amd64"},
                       {"os", "linux"}};
  return config.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hearth_store
