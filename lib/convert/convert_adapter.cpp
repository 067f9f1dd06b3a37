// convert_adapter: LoRA folders of PEFT. A matrix W gets W + (alpha / rank) B A; arrays are named
// "base_model.model." + the matrix's name + ".lora_A.weight" [rank, n_in] and ".lora_B.weight" [n_out, rank]; those of
// the token embedding ".lora_embedding_A" [rank, n_vocab] and ".lora_embedding_B" [d_model, rank].
//
// GGUF files have one alpha, by which readers multiply B A / rank of each pair: rsLoRA (alpha / sqrt(rank);
// Kalajdzievski 2023) becomes an alpha of alpha * sqrt(rank), and what a single matrix has otherwise becomes a factor
// on its B.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <tuple>

#include "hearth/convert.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/convert/families.h"
#include "lib/convert/safetensors.h"
#include "lib/convert/tensor_plan.h"
#include "lib/quantize/name_pattern.h"

namespace hearth {
namespace {

constexpr std::string_view kPeftPrefix = "base_model.model.", kEmbeddingName = "token_embd.weight";

/// A and B of a matrix, of experts one after the other.
struct LoraPair {
  std::string module;  ///< its name in the folder, by which single ranks and alphas are chosen
  std::map<int64_t, const SafeTensor*> a, b;
  bool is_embedding = false;
};
using LoraPairs = std::map<std::string, LoraPair>;  ///< by the names of matrices in GGUF

/// An alpha of matrices whose name ends so.
struct AlphaPattern {
  NamePattern pattern;
  double alpha = 0;
};

/// What adapter_config.json says.
struct AdapterConfig {
  double alpha = 0, rank = 0;
  bool by_root = false;  ///< rsLoRA
  std::vector<AlphaPattern> alphas;
  std::vector<uint32_t> invocation_tokens;

  /// What readers divide by the rank.
  double file_alpha() const { return by_root ? alpha * std::sqrt(rank) : alpha; }
  /// What B must be multiplied with, for a reader to come to the strength of the folder.
  double factor(const std::string& module, double rank_of_matrix) const {
    double own = alpha;
    for (const AlphaPattern& p : alphas) {
      if (!p.pattern.found_in(module)) continue;
      own = p.alpha;
      break;
    }
    if (by_root) return own * std::sqrt(rank_of_matrix) / (alpha * std::sqrt(rank));
    return own / alpha;
  }
};

struct ParsedFile {
  std::string text;
  std::optional<json::Document> document;
  json::Value root() const { return document->root(); }
};

Status parse_file(const std::string& path, ParsedFile& file) {
  Result<std::string> text = read_whole_file(path);
  if (!text) return text.error();
  file.text = *std::move(text);
  Result<json::Document> document = json::Document::parse(file.text, {.python_numbers = true});
  if (!document) return Error{document.error().code, concat(path, ": ", document.error().message)};
  file.document.emplace(*std::move(document));
  return {};
}

Error wrong_adapter(std::string_view tensor, const std::string& what, ErrorCode code = ErrorCode::kUnsupported) {
  return Error{code, concat("adapter tensor ", quoted(tensor), ": ", what)};
}

/// What a tensor of the folder is.
struct LoraName {
  std::string module;  ///< of the matrix, without ".weight"
  bool is_a = false, is_embedding = false;
};

std::optional<LoraName> parse_name(std::string_view name) {
  if (name.starts_with(kPeftPrefix)) name.remove_prefix(kPeftPrefix.size());
  for (const auto& [ending, is_a, is_embedding] :
       {std::tuple(".lora_A.weight", true, false), std::tuple(".lora_B.weight", false, false),
        std::tuple(".lora_embedding_A", true, true), std::tuple(".lora_embedding_B", false, true)}) {
    if (name.ends_with(ending))
      return LoraName{std::string(name.substr(0, name.size() - std::string_view(ending).size())), is_a, is_embedding};
  }
  return std::nullopt;
}

Status add_tensor(const Family& family, const SafeTensor& tensor, LoraPairs& pairs) {
  const std::optional<LoraName> name = parse_name(tensor.name);
  if (!name) return wrong_adapter(tensor.name, "neither lora_A nor lora_B of a linear layer");
  const auto renamed = rename_tensor(family, name->module + ".weight");
  if (!renamed || renamed->name.empty()) {
    return wrong_adapter(tensor.name, "no such matrix in models of type " + quote(family.model_type));
  }
  if (name->is_embedding != (renamed->name == kEmbeddingName)) {
    return wrong_adapter(tensor.name, "only the token embedding has lora_embedding_A and lora_embedding_B");
  }
  if (tensor.float_type() == nullptr || tensor.shape.size() != 2 || tensor.n_elements == 0) {
    return wrong_adapter(tensor.name, "no matrix of floats", ErrorCode::kFormat);
  }
  LoraPair& pair = pairs[renamed->name];
  pair.module = name->module;
  pair.is_embedding = name->is_embedding;
  auto& place = name->is_a ? pair.a : pair.b;
  if (!place.emplace(std::max<int64_t>(renamed->expert, 0), &tensor).second) {
    return wrong_adapter(tensor.name, "occurs twice", ErrorCode::kFormat);
  }
  return {};
}

/// Every expert has A and B of the same shapes.
Status check_pair(const std::string& name, const LoraPair& pair) {
  const auto wrong = [&](const char* what) { return wrong_adapter(name, what, ErrorCode::kFormat); };
  if (pair.a.empty() || pair.b.empty()) return wrong("lora_A or lora_B is missing");
  const auto n = static_cast<int64_t>(pair.a.size());
  for (const auto* side : {&pair.a, &pair.b}) {
    if (static_cast<int64_t>(side->size()) != n || side->rbegin()->first != n - 1) {
      return wrong("lora_A or lora_B of some experts is missing");
    }
    for (const auto& [expert, tensor] : *side) {
      if (tensor->shape != side->begin()->second->shape) return wrong("experts differ in rank or shape");
      if (tensor->type() != side->begin()->second->type()) return wrong("experts differ in type");
    }
  }
  if (pair.a.begin()->second->shape[0] != pair.b.begin()->second->shape[1]) {
    return wrong("lora_A and lora_B differ in rank");
  }
  return {};
}

Result<LoraPairs> pair_up(const Family& family, const Safetensors& input, std::vector<std::string>& warnings) {
  LoraPairs pairs;
  for (const SafeTensor& tensor : input.tensors()) {
    if (tensor.name.ends_with(".base_layer.weight")) continue;  // of the model itself
    if (tensor.shape.size() == 1 && tensor.name.find("norm") != std::string::npos) {
      warnings.push_back(concat("tensor ", quoted(tensor.name), " is left out: adapters change no norms"));
      continue;
    }
    if (Status s = add_tensor(family, tensor, pairs); !s) return s.error();
  }
  if (pairs.empty()) return Error{ErrorCode::kFormat, "the adapter has no tensors"};
  for (const auto& [name, pair] : pairs) {
    if (Status s = check_pair(name, pair); !s) return s.error();
  }
  return pairs;
}

/// A of the embedding by tokens: [n_vocab, rank].
Status transpose(const Safetensors& input, const SafeTensor& tensor, PlannedTensor& planned) {
  const auto rank = static_cast<size_t>(tensor.shape[0]), n_vocab = static_cast<size_t>(tensor.shape[1]);
  Result<std::vector<float>> values = read_floats(input, tensor);
  if (!values) return values.error();
  planned.type = TensorType::kF32;
  planned.dims = {tensor.shape[0], tensor.shape[1]};
  planned.values.resize(values->size());
  for (size_t t = 0; t < n_vocab; ++t) {
    for (size_t r = 0; r < rank; ++r) planned.values[t * rank + r] = (*values)[r * n_vocab + t];
  }
  return {};
}

/// One side of a pair. Heads are ordered in the rows of B as in the rows of the matrix.
Result<PlannedTensor> plan_side(const std::string& name, const LoraPair& pair, bool is_a, const Architecture& arch,
                                const ConfigSizes& sizes, const AdapterConfig& config, const Safetensors& input,
                                const ConvertOptions& options) {
  const auto& side = is_a ? pair.a : pair.b;
  const SafeTensor& first = *side.begin()->second;
  PlannedTensor planned;
  planned.name = name + (is_a ? ".lora_a" : ".lora_b");
  if (is_a && pair.is_embedding) {
    if (Status s = transpose(input, first, planned); !s) return s.error();
    return planned;
  }
  planned.type = options.type.value_or(first.type());
  planned.dims = {first.shape[1], first.shape[0]};
  if (side.size() > 1) planned.dims.push_back(static_cast<int64_t>(side.size()));
  for (const auto& [expert, tensor] : side) planned.sources.push_back(tensor);
  if (is_a) return planned;
  planned.factor = static_cast<float>(config.factor(pair.module, static_cast<double>(first.shape[1])));
  const bool is_q = name.find(".attn_q.") != std::string::npos, is_k = name.find(".attn_k.") != std::string::npos;
  if (arch.rope == RopeLayout::kPairs && (is_q || is_k)) {
    planned.n_paired_heads = is_q ? sizes.n_heads : sizes.n_kv_heads;
    if (first.shape[0] % (2 * planned.n_paired_heads) != 0) {
      return wrong_adapter(first.name, "its rows do not belong to the heads of the base", ErrorCode::kFormat);
    }
  }
  return planned;
}

/// alpha_pattern of adapter_config.json: names' endings, as regular expressions, with their alphas.
Status read_patterns(json::Value patterns, std::vector<AlphaPattern>& alphas) {
  for (json::Value one = patterns.first(); one; one = one.next()) {
    const std::optional<double> alpha = one.number();
    if (!alpha || !std::isfinite(*alpha)) return Error{ErrorCode::kFormat, "alpha_pattern: no number"};
    auto pattern = NamePattern::compile(concat("(^|\\.)(", one.key(), ")$"));
    if (!pattern) return Error{pattern.error().code, "alpha_pattern: " + pattern.error().message};
    alphas.push_back({std::move(*pattern), *alpha});
  }
  return {};
}

Status read_invocation(json::Value adapter, std::vector<uint32_t>& tokens) {
  for (json::Value one = adapter["alora_invocation_tokens"].first(); one; one = one.next()) {
    const std::optional<int64_t> id = one.integer();
    if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
      return Error{ErrorCode::kFormat, "alora_invocation_tokens: no token id"};
    }
    tokens.push_back(static_cast<uint32_t>(*id));
  }
  if (tokens.empty() && !adapter["invocation_string"].text().empty()) {
    return Error{ErrorCode::kUnsupported, "invocation_string without alora_invocation_tokens"};
  }
  return {};
}

/// Variants that scale or decompose otherwise are refused.
Result<AdapterConfig> read_config(json::Value adapter) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kUnsupported, what}; };
  const std::string_view type = adapter["peft_type"].text();
  if (!type.empty() && type != "LORA") return wrong("peft_type is not LORA");
  if (adapter["use_dora"].boolean().value_or(false)) return wrong("use_dora");
  if (adapter["layer_replication"].first()) return wrong("layer_replication");
  const auto alpha = config_number(adapter, {"lora_alpha"}), rank = config_number(adapter, {"r"});
  if (!alpha || !rank || !(*rank >= 1) || !std::isfinite(*alpha) || *alpha == 0) {
    return Error{ErrorCode::kFormat, "lora_alpha or r is missing"};
  }
  AdapterConfig config;
  config.alpha = *alpha, config.rank = *rank;
  config.by_root = adapter["use_rslora"].boolean().value_or(false);
  if (Status s = read_patterns(adapter["alpha_pattern"], config.alphas); !s) return s.error();
  if (Status s = read_invocation(adapter, config.invocation_tokens); !s) return s.error();
  return config;
}

Status write_adapter(const std::string& output, const Architecture& arch, const AdapterConfig& config,
                     const ConversionPlan& plan, const Safetensors& input, const ConvertOptions& options) {
  Result<GgufWriter> out = GgufWriter::create(output);
  if (!out) return out.error();
  Status s = out->add_string("general.type", "adapter");
  if (s) s = out->add_string("general.architecture", arch.name);
  if (s) s = out->add_string("adapter.type", "lora");
  if (s) s = out->add_float32("adapter.lora.alpha", static_cast<float>(config.file_alpha()));
  if (s && !config.invocation_tokens.empty()) {
    s = out->add_uint32_array("adapter.alora.invocation_tokens", config.invocation_tokens);
  }
  return s ? write_tensors(*out, plan, input, options) : s;
}

/// What a base says of its matrices.
struct Base {
  const Family* family = nullptr;
  const Architecture* arch = nullptr;
  ConfigSizes sizes;
};

Result<Base> base_of(const std::string& path, std::string_view what, const Family* family) {
  const Architecture* arch = family != nullptr ? find_architecture(family->architecture) : nullptr;
  if (arch == nullptr) return Error{ErrorCode::kUnsupported, concat(path, ": ", what, " is not known")};
  return Base{family, arch, {}};
}

Result<Base> read_folder(const std::string& folder) {
  ParsedFile config;
  const std::string path = folder + "/config.json";
  if (Status s = parse_file(path, config); !s) return s.error();
  const std::string_view type = config.root()["model_type"].text();
  Result<Base> base = base_of(path, concat("model_type ", quoted(type)), find_family(type));
  if (!base) return base;
  const json::Value text_config = config.root()["text_config"];
  const auto sizes = read_sizes(*base->family, text_config.is_object() ? text_config : config.root());
  if (!sizes) return Error{sizes.error().code, concat(folder, ": ", sizes.error().message)};
  base->sizes = *sizes;
  return base;
}

Result<Base> read_gguf(const std::string& path) {
  const auto file = GgufFile::open(path, {.metadata_only = true});
  if (!file) return file.error();
  const std::string arch(file->get_string("general.architecture").value_or(""));
  Result<Base> base = base_of(path, concat("general.architecture ", quoted(arch)), find_family_of(arch));
  if (!base) return base;
  const auto n_heads = file->get_int(arch + ".attention.head_count");
  if (!n_heads || *n_heads < 1) {
    return Error{ErrorCode::kUnsupported, concat(path, ": ", arch, ".attention.head_count is not one number")};
  }
  base->sizes.n_heads = *n_heads;
  base->sizes.n_kv_heads = *n_heads;
  if (const std::string key = arch + ".attention.head_count_kv"; file->find(key) != nullptr) {
    const auto n_kv_heads = file->get_int(key);
    if (!n_kv_heads || *n_kv_heads < 1)
      return Error{ErrorCode::kUnsupported, concat(path, ": ", key, " is not one number")};
    base->sizes.n_kv_heads = *n_kv_heads;
  }
  return base;
}

Result<ConvertReport> make_adapter(const std::string& folder, const std::string& base, const std::string& output,
                                   const ConvertOptions& options) {
  ParsedFile adapter;
  const std::string adapter_path = folder + "/adapter_config.json";
  if (Status s = parse_file(adapter_path, adapter); !s) return s.error();
  const Result<Base> trained_for = is_folder(base) ? read_folder(base) : read_gguf(base);
  if (!trained_for) return trained_for.error();
  const auto& [family, arch, sizes] = *trained_for;
  const auto settings = read_config(adapter.root());
  if (!settings) return Error{settings.error().code, concat(adapter_path, ": ", settings.error().message)};
  const Result<Safetensors> input = Safetensors::open_folder(folder, "adapter_model");
  if (!input) return input.error();
  ConvertReport report;
  const auto pairs = pair_up(*family, *input, report.warnings);
  if (!pairs) return Error{pairs.error().code, concat(folder, ": ", pairs.error().message)};
  ConversionPlan plan;
  for (const auto& [name, pair] : *pairs) {
    for (const bool is_a : {true, false}) {
      auto planned = plan_side(name, pair, is_a, *arch, sizes, *settings, *input, options);
      if (!planned) return Error{planned.error().code, concat(folder, ": ", planned.error().message)};
      plan.tensors.push_back(std::move(*planned));
    }
  }
  if (Status s = write_adapter(output, *arch, *settings, plan, *input, options); !s) return s.error();
  report.architecture = arch->name;
  report.n_tensors = static_cast<int64_t>(plan.tensors.size());
  report.tensor_bytes = input->total_bytes();
  return report;
}

}  // namespace

Result<ConvertReport> convert_adapter(const std::string& folder, const std::string& base, const std::string& output,
                                      const ConvertOptions& options) {
  return guard([&] { return make_adapter(folder, base, output, options); });
}

}  // namespace hearth
