// Model::open: map the file, find the architecture's row, read the sizes, bind the weights.
#include <algorithm>
#include <map>
#include <span>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/io/file_bytes.h"
#include "lib/model/model_impl.h"

namespace hearth {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Names of general.file_type (GGUF specification, table of file types).
const char* file_type_name(int64_t type) {
  constexpr struct {
    int64_t type;
    const char* name;
  } kNames[] = {{0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},     {8, "Q5_0"},
                {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"},  {14, "Q4_K_S"},
                {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},  {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"},
                {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"},  {26, "IQ3_S"},
                {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},   {32, "BF16"},
                {36, "TQ1_0"},  {37, "TQ2_0"},  {38, "MXFP4"},   {39, "NVFP4"},  {40, "Q1_0"},    {41, "Q2_0"}};
  for (const auto& entry : kNames) {
    if (entry.type == type) return entry.name;
  }
  return nullptr;
}

/// The file's own word for its quantization, or the type that holds the most bytes.
std::string quantization_name(const GgufFile& file) {
  if (Result<int64_t> type = file.get_int("general.file_type"); type) {
    if (const char* name = file_type_name(*type)) return name;
  }
  std::map<TensorType, uint64_t> bytes;
  for (const GgufTensor& tensor : file.tensors()) bytes[tensor.type] += tensor.size_bytes;
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const TensorTypeInfo* info = most == bytes.end() ? nullptr : tensor_type_info(most->first);
  return info ? info->name : "";
}

ModelInfo describe(const GgufFile& file, const Architecture& arch, const HParams& hp) {
  ModelInfo info;
  info.architecture = arch.name;
  if (Result<std::string_view> name = file.get_string("general.name"); name) info.name = std::string(*name);
  info.quantization = quantization_name(file);
  for (const GgufTensor& tensor : file.tensors()) {  // metadata alone may claim any numbers
    if (__builtin_add_overflow(info.n_parameters, tensor.n_elements, &info.n_parameters)) info.n_parameters = INT64_MAX;
  }
  const LayerShape& first = hp.layers.front();
  info.n_layers = hp.n_layers;
  info.has_mtp = hp.has_mtp;
  info.d_model = hp.d_model;
  info.d_ff = first.d_ff;
  info.n_heads = first.n_heads;
  info.n_kv_heads = first.n_kv_heads;
  info.head_dim = first.k_dim;
  info.n_vocab = hp.n_vocab;
  info.n_ctx_train = hp.n_ctx_train;
  info.n_experts = hp.experts.n_experts;
  info.n_experts_used = hp.experts.n_used;
  info.causal = hp.causal;
  info.has_logits = hp.decoder;
  info.pooling = hp.pooling;
  return info;
}

/// Reads one byte of every page of the weights, with progress; false when cancelled.
bool touch_weights(const GgufFile& file, const LoadProgress& progress) {
  constexpr uint64_t kStep = uint64_t{32} << 20;
  uint64_t done = 0, next = kStep;
  unsigned sum = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    const std::span all(static_cast<const std::byte*>(tensor.data), static_cast<size_t>(tensor.size_bytes));
    for (uint64_t at = 0; at < all.size(); at += kStep) {
      const std::span part =
          all.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min<uint64_t>(kStep, all.size() - at)));
      sum += touch_pages(part);
      done += part.size();
      if (done < next) continue;
      next = done + kStep;
      if (progress && !progress(done, file.file_bytes())) return false;
    }
  }
  volatile unsigned keeps_the_reads = sum;
  (void)keeps_the_reads;
  return true;
}

/// Lets the first use of weights that are in memory already find them there.
void map_cached_weights(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.data == nullptr) return;
    const std::span bytes(static_cast<const std::byte*>(tensor.data), static_cast<size_t>(tensor.size_bytes));
    if (!map_cached_pages(bytes)) return;
  }
}

/// kFormat names the first damaged tensor.
Status check_weights(const GgufFile& file, const LoadProgress& progress) {
  uint64_t done = 0;
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    if (Status sound = file.check_tensor(i); !sound) return sound;
    done += file.tensors()[i].size_bytes;
    if (progress && !progress(done, file.file_bytes())) return Error{ErrorCode::kCancelled, "loading was cancelled"};
  }
  return {};
}

}  // namespace

Result<Model::Impl> bind_model(GgufFile file) {
  Result<std::string_view> name = file.get_string("general.architecture");
  if (!name) return name.error();
  const Architecture* arch = find_architecture(*name);
  if (!arch) {
    return Error{ErrorCode::kUnsupported, concat("architecture \"", name->substr(0, 64),
                                                 "\" is not supported; supported: ", joined(architecture_names()))};
  }
  Result<HParams> hp = read_hparams(file, *arch);
  if (!hp) return hp.error();
  Result<Weights> weights = bind_weights(file, *arch, *hp);
  if (!weights) return weights.error();
  ModelInfo info = describe(file, *arch, *hp);
  return Model::Impl{std::move(file), arch, std::move(*hp), std::move(*weights), std::move(info), std::nullopt};
}

Status adopt_tokenizer(Model::Impl& model, Tokenizer tokenizer) {
  const int32_t n_tokens = tokenizer.n_vocab();
  if (n_tokens > model.hp.n_vocab) {
    return Error{ErrorCode::kFormat, concat("tokenizer.ggml.tokens: ", n_tokens, " tokens, but token_embd.weight has ",
                                            model.hp.n_vocab, " rows")};
  }
  model.tokenizer = std::move(tokenizer);
  return {};
}

struct ModelBuilder {
  static Result<Model> build(Result<GgufFile> file, const ModelOptions& options) {
    const Error cancelled{ErrorCode::kCancelled, "loading was cancelled"};
    if (!file) return file.error();
    const uint64_t total = file->file_bytes();
    if (options.progress && !options.progress(0, total)) return cancelled;
    Result<Model::Impl> impl = bind_model(std::move(*file));
    if (!impl) return impl.error();
    Result<Tokenizer> tokenizer = Tokenizer::from_gguf(impl->file);
    if (!tokenizer) return tokenizer.error();
    if (Status status = adopt_tokenizer(*impl, std::move(*tokenizer)); !status) return status.error();
    if (options.check_tensors) {
      if (Status sound = check_weights(impl->file, options.progress); !sound) return sound.error();
    }
    if (impl->file.is_mapped()) map_cached_weights(impl->file);
    if (options.prefetch && !touch_weights(impl->file, options.progress)) return cancelled;
    if (options.progress && !options.progress(total, total)) return cancelled;
    return Model(std::make_shared<const Model::Impl>(std::move(*impl)));
  }
};

Result<Model> Model::open(const std::string& path, const ModelOptions& options) {
  return guard([&] { return ModelBuilder::build(GgufFile::open(path, {.use_mmap = options.use_mmap}), options); });
}

Result<Model> Model::from_memory(std::span<const std::byte> bytes, const ModelOptions& options) {
  return guard([&] { return ModelBuilder::build(GgufFile::from_memory(bytes), options); });
}

const ModelInfo& Model::info() const {
  return impl_->info;
}
const GgufFile& Model::file() const {
  return impl_->file;
}
const Tokenizer& Model::tokenizer() const {
  return *impl_->tokenizer;
}

std::vector<std::string> Model::architectures() {
  return guard_or(std::vector<std::string>(), [] { return architecture_names(); });
}

}  // namespace hearth
