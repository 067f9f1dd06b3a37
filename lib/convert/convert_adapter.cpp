// convert_adapter: LoRA folders of PEFT. A matrix W gets W + (alpha / rank) B A; arrays are named
// "base_model.model." + the matrix's name + ".lora_A.weight" [rank, n_in] and ".lora_B.weight" [n_out, rank].
#include <algorithm>
#include <cmath>
#include <map>

#include "hearth/convert.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/convert/families.h"
#include "lib/convert/safetensors.h"
#include "lib/convert/tensor_plan.h"

namespace hearth {
namespace {

constexpr std::string_view kPeftPrefix = "base_model.model.";

struct LoraPair {
  const SafeTensor* a = nullptr;
  const SafeTensor* b = nullptr;
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
  if (!document) return Error{document.error().code, path + ": " + document.error().message};
  file.document.emplace(*std::move(document));
  return {};
}

Error wrong_adapter(std::string_view tensor, const std::string& what, ErrorCode code = ErrorCode::kUnsupported) {
  return Error{code, "adapter tensor " + quote(tensor) + ": " + what};
}

/// Matrices by their names in GGUF.
Result<std::map<std::string, LoraPair>> pair_up(const Family& family, const Safetensors& input) {
  std::map<std::string, LoraPair> pairs;
  for (const SafeTensor& tensor : input.tensors()) {
    std::string_view name = tensor.name;
    if (name.starts_with(kPeftPrefix)) name.remove_prefix(kPeftPrefix.size());
    const bool is_a = name.ends_with(".lora_A.weight"), is_b = name.ends_with(".lora_B.weight");
    if (!is_a && !is_b) return wrong_adapter(tensor.name, "neither lora_A nor lora_B of a linear layer");
    const std::string matrix = std::string(name.substr(0, name.rfind(".lora_"))) + ".weight";
    const auto renamed = rename_tensor(family, matrix);
    if (!renamed || renamed->name.empty() || renamed->expert >= 0) {
      return wrong_adapter(tensor.name, "no such matrix in models of type " + quote(family.model_type));
    }
    if (tensor.float_type() == nullptr || tensor.shape.size() != 2 || tensor.n_elements == 0) {
      return wrong_adapter(tensor.name, "no matrix of floats", ErrorCode::kFormat);
    }
    LoraPair& pair = pairs[renamed->name];
    const SafeTensor*& place = is_a ? pair.a : pair.b;
    if (place != nullptr) return wrong_adapter(tensor.name, "occurs twice", ErrorCode::kFormat);
    place = &tensor;
  }
  if (pairs.empty()) return Error{ErrorCode::kFormat, "the adapter has no tensors"};
  return pairs;
}

/// Heads are ordered in the rows of B as in the rows of the matrix.
Result<ConversionPlan> plan_pairs(const std::map<std::string, LoraPair>& pairs, const Architecture& arch,
                                  const ConfigSizes& sizes, const ConvertOptions& options) {
  ConversionPlan plan;
  for (const auto& [name, pair] : pairs) {
    if (pair.a == nullptr || pair.b == nullptr)
      return wrong_adapter(name, "lora_A or lora_B is missing", ErrorCode::kFormat);
    if (pair.a->shape[0] != pair.b->shape[1])
      return wrong_adapter(name, "lora_A and lora_B differ in rank", ErrorCode::kFormat);
    const bool is_q = name.find(".attn_q.") != std::string::npos, is_k = name.find(".attn_k.") != std::string::npos;
    for (const SafeTensor* tensor : {pair.a, pair.b}) {
      PlannedTensor planned;
      planned.name = name + (tensor == pair.a ? ".lora_a" : ".lora_b");
      planned.type = options.type.value_or(tensor->type());
      planned.dims = {tensor->shape[1], tensor->shape[0]};
      planned.sources = {tensor};
      if (tensor == pair.b && arch.rope == RopeLayout::kPairs && (is_q || is_k)) {
        planned.n_paired_heads = is_q ? sizes.n_heads : sizes.n_kv_heads;
        if (tensor->shape[0] % (2 * planned.n_paired_heads) != 0) {
          return wrong_adapter(tensor->name, "its rows do not belong to the heads of the base", ErrorCode::kFormat);
        }
      }
      plan.tensors.push_back(std::move(planned));
    }
  }
  return plan;
}

/// alpha / rank is what counts; variants that scale or decompose otherwise are refused.
Result<double> read_alpha(json::Value adapter, const std::string& path) {
  const auto wrong = [&](const char* what) { return Error{ErrorCode::kUnsupported, path + ": " + what}; };
  const std::string_view type = adapter["peft_type"].text();
  if (!type.empty() && type != "LORA") return wrong("peft_type is not LORA");
  if (adapter["use_dora"].boolean().value_or(false)) return wrong("use_dora");
  if (adapter["rank_pattern"].first() || adapter["alpha_pattern"].first())
    return wrong("ranks or alphas of single layers");
  const auto alpha = config_number(adapter, {"lora_alpha"}), rank = config_number(adapter, {"r"});
  if (!alpha || !rank || !(*rank >= 1)) return Error{ErrorCode::kFormat, path + ": lora_alpha or r is missing"};
  const bool by_root = adapter["use_rslora"].boolean().value_or(false);  // alpha / sqrt(rank)
  return by_root ? *alpha * std::sqrt(*rank) : *alpha;
}

Status write_adapter(const std::string& output, const Architecture& arch, double alpha, const ConversionPlan& plan,
                     const Safetensors& input, const ConvertOptions& options) {
  Result<GgufWriter> out = GgufWriter::create(output);
  if (!out) return out.error();
  Status s = out->add_string("general.type", "adapter");
  if (s) s = out->add_string("general.architecture", arch.name);
  if (s) s = out->add_string("adapter.type", "lora");
  if (s) s = out->add_float32("adapter.lora.alpha", static_cast<float>(alpha));
  return s ? write_tensors(*out, plan, input, options) : s;
}

Result<ConvertReport> make_adapter(const std::string& folder, const std::string& base, const std::string& output,
                                   const ConvertOptions& options) {
  ParsedFile adapter, config;
  const std::string adapter_path = folder + "/adapter_config.json", config_path = base + "/config.json";
  if (Status s = parse_file(adapter_path, adapter); !s) return s.error();
  if (Status s = parse_file(config_path, config); !s) return s.error();
  const Family* family = find_family(config.root()["model_type"].text());
  const Architecture* arch = family != nullptr ? find_architecture(family->architecture) : nullptr;
  if (arch == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 config_path + ": model_type " + quote(config.root()["model_type"].text()) + " is not known"};
  }
  const json::Value text_config = config.root()["text_config"];
  const auto sizes = read_sizes(*family, text_config.is_object() ? text_config : config.root());
  if (!sizes) return Error{sizes.error().code, base + ": " + sizes.error().message};
  const Result<double> alpha = read_alpha(adapter.root(), adapter_path);
  if (!alpha) return alpha.error();
  const Result<Safetensors> input = Safetensors::open_folder(folder, "adapter_model");
  if (!input) return input.error();
  const auto pairs = pair_up(*family, *input);
  if (!pairs) return Error{pairs.error().code, folder + ": " + pairs.error().message};
  const auto plan = plan_pairs(*pairs, *arch, *sizes, options);
  if (!plan) return Error{plan.error().code, folder + ": " + plan.error().message};
  if (Status s = write_adapter(output, *arch, *alpha, *plan, *input, options); !s) return s.error();
  ConvertReport report;
  report.architecture = arch->name;
  report.n_tensors = static_cast<int64_t>(plan->tensors.size());
  report.tensor_bytes = input->total_bytes();
  return report;
}

}  // namespace

Result<ConvertReport> convert_adapter(const std::string& folder, const std::string& base, const std::string& output,
                                      const ConvertOptions& options) {
  return guard([&] { return make_adapter(folder, base, output, options); });
}

}  // namespace hearth
