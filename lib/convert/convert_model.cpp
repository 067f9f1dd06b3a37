// convert_model: folder in, file out.
#include "hearth/convert.h"
#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/convert/families.h"
#include "lib/convert/safetensors.h"
#include "lib/convert/tensor_plan.h"
#include "lib/convert/vocabulary.h"

namespace hearth {
namespace {

constexpr uint32_t kQuantizationVersion = 2;

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string folder_of(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, std::max<size_t>(slash, 1));
}

/// What general.file_type says of the commonest type.
uint32_t file_type(const ConversionPlan& plan) {
  uint64_t n[3] = {};
  constexpr TensorType kTypes[] = {TensorType::kF32, TensorType::kF16, TensorType::kBF16};
  constexpr uint32_t kFileTypes[] = {0, 1, 32};
  for (const PlannedTensor& tensor : plan.tensors) {
    for (size_t i = 0; i < 3; ++i) {
      if (tensor.dims.size() > 1 && tensor.type == kTypes[i]) {
        for (const SafeTensor* source : tensor.sources) n[i] += source->n_elements;
      }
    }
  }
  const size_t most = n[2] > n[1] ? (n[2] > n[0] ? 2 : 0) : (n[1] > n[0] ? 1 : 0);
  return kFileTypes[most];
}

/// The folder of sentence-transformers that says how vectors are pooled; 0: none.
Result<uint32_t> pooling_type(const std::string& folder) {
  const Result<std::string> text = read_whole_file(folder + "/1_Pooling/config.json");
  if (!text) return text.error().code == ErrorCode::kNotFound ? Result<uint32_t>(0u) : text.error();
  const auto document = json::Document::parse(*text);
  if (!document) return Error{ErrorCode::kFormat, concat(folder, "/1_Pooling/config.json: ", document.error().message)};
  const json::Value root = document->root();
  if (root["pooling_mode_mean_tokens"].boolean().value_or(false)) return 1u;
  if (root["pooling_mode_cls_token"].boolean().value_or(false)) return 2u;
  if (root["pooling_mode_lasttoken"].boolean().value_or(false)) return 3u;
  return 0u;
}

class ModelConversion {
 public:
  ModelConversion(std::string folder, const std::string& output, const ConvertOptions& options)
      : folder_(std::move(folder)), output_(output), options_(options) {}

  Result<ConvertReport> run(const std::string& file);

 private:
  Status read_config();
  Result<ConvertReport> write(const Safetensors& input, const ConversionPlan& plan, const Vocabulary& vocabulary,
                              const RopeScalingKeys& rope);
  Status add_general(GgufWriter& out, const ConversionPlan& plan) const;
  Error with_folder(const Error& error) const { return {error.code, concat(folder_, ": ", error.message)}; }

  const std::string folder_, &output_;
  const ConvertOptions& options_;
  std::string config_text_;
  std::optional<json::Document> document_;
  json::Value config_;
  const Family* family_ = nullptr;
  const Architecture* arch_ = nullptr;
  ConfigSizes sizes_;
};

Status ModelConversion::read_config() {
  Result<std::string> text = read_whole_file(folder_ + "/config.json");
  if (!text) return text.error();
  config_text_ = *std::move(text);
  Result<json::Document> document = json::Document::parse(config_text_, {.python_numbers = true});
  if (!document) return Error{document.error().code, concat(folder_, "/config.json: ", document.error().message)};
  document_.emplace(*std::move(document));
  config_ = document_->root();
  const std::string_view type = config_["model_type"].text();
  family_ = find_family(type);
  if (family_ == nullptr) {
    return Error{ErrorCode::kUnsupported, concat(folder_, "/config.json: model_type ", quoted(type), " is not known")};
  }
  arch_ = find_architecture(family_->architecture);
  if (arch_ == nullptr) return Error{ErrorCode::kUnsupported, "architecture " + quote(family_->architecture)};
  if (config_["text_config"].is_object()) config_ = config_["text_config"];
  const Result<ConfigSizes> sizes = read_sizes(*family_, config_);
  if (!sizes) return with_folder(sizes.error());
  sizes_ = *sizes;
  return {};
}

Status ModelConversion::add_general(GgufWriter& out, const ConversionPlan& plan) const {
  const size_t slash = folder_.rfind('/');
  const std::string name = slash == std::string::npos ? folder_ : folder_.substr(slash + 1);
  Status s = out.add_string("general.architecture", arch_->name);
  if (s) s = out.add_string("general.type", "model");
  if (s && !name.empty() && name != ".") s = out.add_string("general.name", name);
  if (s) s = out.add_uint32("general.file_type", file_type(plan));
  if (s) s = out.add_uint32("general.quantization_version", kQuantizationVersion);
  if (!s) return s;
  const Result<uint32_t> pooling = pooling_type(folder_);
  if (!pooling) return pooling.error();
  return *pooling != 0 ? out.add_uint32(concat(arch_->name, ".pooling_type"), *pooling) : s;
}

Result<ConvertReport> ModelConversion::write(const Safetensors& input, const ConversionPlan& plan,
                                             const Vocabulary& vocabulary, const RopeScalingKeys& rope) {
  Result<GgufWriter> out = GgufWriter::create(output_);
  if (!out) return out.error();
  if (Status s = add_general(*out, plan); !s) return s.error();
  if (Status s = add_config(*out, *family_, *arch_, config_, sizes_, rope); !s) return with_folder(s.error());
  if (Status s = add_vocabulary(*out, vocabulary); !s) return with_folder(s.error());
  if (Status s = write_tensors(*out, plan, input, options_); !s) return s.error();
  ConvertReport report;
  report.architecture = arch_->name;
  report.n_tensors = static_cast<int64_t>(plan.tensors.size());
  report.tensor_bytes = input.total_bytes();
  report.warnings = plan.warnings;
  report.warnings.insert(report.warnings.end(), vocabulary.warnings.begin(), vocabulary.warnings.end());
  return report;
}

Result<ConvertReport> ModelConversion::run(const std::string& file) {
  Status s;
  if (file.empty()) s = read_config();
  if (!s) return s.error();
  const Result<Safetensors> input =
      file.empty() ? Safetensors::open_folder(folder_, "model") : Safetensors::open_file(file);
  if (!input) return input.error();
  if (!file.empty()) s = read_config();  // a wrong name is said before what lies beside it
  if (!s) return s.error();
  const Result<RopeScalingKeys> rope = read_rope_scaling(config_, sizes_);
  if (!rope) return with_folder(rope.error());
  const Result<ConversionPlan> plan = plan_tensors(*family_, *arch_, sizes_, *rope, *input, options_);
  if (!plan) return with_folder(plan.error());
  for (const PlannedTensor& tensor : plan->tensors) {
    if (tensor.name == "token_embd.weight" && tensor.dims.size() == 2) sizes_.n_vocab = tensor.dims[1];
  }
  const Result<Vocabulary> vocabulary = read_vocabulary(folder_, config_, sizes_.n_vocab, options_.pre);
  if (!vocabulary) return vocabulary.error();
  return write(*input, *plan, *vocabulary, *rope);
}

}  // namespace

Result<ConvertReport> convert_model(const std::string& input, const std::string& output,
                                    const ConvertOptions& options) {
  return guard([&]() -> Result<ConvertReport> {
    if (options.type && *options.type != TensorType::kF32 && *options.type != TensorType::kF16 &&
        *options.type != TensorType::kBF16) {
      return Error{ErrorCode::kInvalidArgument, "type must be F32, F16 or BF16; quantize the file that comes of it"};
    }
    const std::string path = without_slash(input);
    if (is_folder(path)) return ModelConversion(path, output, options).run("");
    return ModelConversion(folder_of(path), output, options).run(path);
  });
}

}  // namespace hearth
