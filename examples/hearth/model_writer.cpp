// Writing a model of random weights: metadata, vocabulary, tensors.
#include "model_writer.h"

#include <algorithm>
#include <cmath>

#include "random_blocks.h"
#include "synthetic_vocab.h"

namespace hearth_tool {
namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::GgufWriter;
using hearth::Status;
using hearth::TensorType;

/// Declares hyper-parameters under the architecture's prefix and keeps the first failure.
class HyperParameters {
 public:
  HyperParameters(GgufWriter& writer, const std::string& architecture) : writer_(writer), prefix_(architecture + ".") {}
  void add(const char* key, int32_t value) { keep(writer_.add_uint32(prefix_ + key, static_cast<uint32_t>(value))); }
  void add(const char* key, float value) { keep(writer_.add_float32(prefix_ + key, value)); }
  void add(const char* key, const char* value) { keep(writer_.add_string(prefix_ + key, value)); }
  Status take() { return std::move(status_); }

 private:
  void keep(Status status) {
    if (status_ && !status) status_ = std::move(status);
  }
  GgufWriter& writer_;
  std::string prefix_;
  Status status_;
};

Status declare_hyper_parameters(GgufWriter& writer, const ModelShape& shape) {
  HyperParameters hp(writer, shape.architecture);
  hp.add("vocab_size", shape.n_vocab);
  hp.add("context_length", shape.n_ctx_train);
  hp.add("embedding_length", shape.d_model);
  hp.add("block_count", shape.n_layers);
  hp.add("feed_forward_length", shape.d_ff);
  hp.add("attention.head_count", shape.n_heads);
  hp.add("attention.head_count_kv", shape.n_kv_heads);
  hp.add("attention.key_length", shape.head_dim);
  hp.add("attention.value_length", shape.head_dim);
  hp.add("attention.layer_norm_rms_epsilon", shape.norm_eps);
  hp.add("rope.freq_base", shape.rope_base);
  hp.add("rope.dimension_count", shape.head_dim);
  if (shape.sliding_window > 0) hp.add("attention.sliding_window", shape.sliding_window);
  if (shape.rope_scaling == RopeScaling::kLinear || shape.rope_scaling == RopeScaling::kYarn) {
    hp.add("rope.scaling.type", shape.rope_scaling == RopeScaling::kYarn ? "yarn" : "linear");
    hp.add("rope.scaling.factor", shape.rope_factor);
    if (shape.rope_original_ctx > 0) hp.add("rope.scaling.original_context_length", shape.rope_original_ctx);
  }
  if (shape.n_experts > 0) {
    hp.add("expert_count", shape.n_experts);
    hp.add("expert_used_count", shape.n_experts_used);
    hp.add("expert_feed_forward_length", shape.d_expert);
  }
  return hp.take();
}

Status declare_metadata(GgufWriter& writer, const ModelShape& shape, const TypeMix& mix, const std::string& vocab) {
  const std::string title = std::string(shape.title);
  for (Status status :
       {writer.add_string("general.architecture", shape.architecture), writer.add_string("general.type", "model"),
        writer.add_string("general.name", title), writer.add_uint32("general.file_type", mix.file_type),
        writer.add_uint32("general.quantization_version", 2), declare_hyper_parameters(writer, shape)}) {
    if (!status) return status;
  }
  if (vocab.empty()) return write_synthetic_vocab(writer, shape);
  const auto file = hearth::GgufFile::open(vocab, {.metadata_only = true});
  return file ? copy_vocab(writer, *file, shape.n_vocab) : Status(file.error());
}

/// Standard deviation of the weights: products of normed activations have variance 1; logits 4.
float sigma_of(const TensorSpec& tensor) {
  const float by_row = 1 / std::sqrt(static_cast<float>(tensor.dims[0]));
  const bool is_embedding = tensor.role == TensorRole::kTokenEmbedding || tensor.role == TensorRole::kOutput;
  return is_embedding ? 2 * by_row : by_row;
}

Status write_vector(GgufWriter& writer, const ModelShape& shape, const TensorSpec& tensor, hearth::Rng& rng) {
  size_t n = 1;
  for (int64_t dim : tensor.dims) n *= static_cast<size_t>(dim);
  std::vector<float> values(n);
  if (tensor.role == TensorRole::kNorm) fill_random_floats(values, 1, 0.05f, rng);
  if (tensor.role == TensorRole::kBias) fill_random_floats(values, 0, 0.02f, rng);
  if (tensor.role == TensorRole::kRouter) fill_random_floats(values, 0, sigma_of(tensor), rng);
  if (tensor.role == TensorRole::kRopeFactors) values = llama3_rope_factors(shape);
  return writer.write_data(std::as_bytes(std::span(values)));
}

class ModelMaker {
 public:
  ModelMaker(GgufWriter& writer, const ModelShape& shape, const TypeMix& mix, uint64_t seed)
      : writer_(writer), shape_(shape), mix_(mix), rng_(seed), tensors_(list_tensors(shape)) {}

  Status declare_tensors();
  Status write_tensors(Progress& progress);
  int64_t n_parameters() const { return n_parameters_; }

 private:
  Status write_matrix(const TensorSpec& tensor, TensorType type, Progress& progress);

  GgufWriter& writer_;
  const ModelShape& shape_;
  const TypeMix& mix_;
  hearth::Rng rng_;
  std::vector<TensorSpec> tensors_;
  std::vector<std::byte> chunk_;
  uint64_t total_bytes_ = 0, done_bytes_ = 0;
  int64_t n_parameters_ = 0;
};

uint64_t tensor_bytes(const TensorSpec& tensor, TensorType type) {
  const hearth::TensorTypeInfo& info = *hearth::tensor_type_info(type);
  uint64_t n = 1;
  for (int64_t dim : tensor.dims) n *= static_cast<uint64_t>(dim);
  return n / info.block_size * info.block_bytes;
}

Status ModelMaker::declare_tensors() {
  for (const TensorSpec& tensor : tensors_) {
    const TensorType type = choose_type(mix_, shape_, tensor);
    if (Status status = writer_.add_tensor(tensor.name, type, tensor.dims); !status) return status;
    total_bytes_ += tensor_bytes(tensor, type);
    int64_t n = 1;
    for (int64_t dim : tensor.dims) n *= dim;
    n_parameters_ += n;
  }
  return {};
}

Status ModelMaker::write_tensors(Progress& progress) {
  for (const TensorSpec& tensor : tensors_) {
    const TensorType type = choose_type(mix_, shape_, tensor);
    const bool is_vector = tensor.role == TensorRole::kNorm || tensor.role == TensorRole::kBias ||
                           tensor.role == TensorRole::kRouter || tensor.role == TensorRole::kRopeFactors;
    const Status status =
        is_vector ? write_vector(writer_, shape_, tensor, rng_) : write_matrix(tensor, type, progress);
    if (!status) return status;
  }
  return {};
}

Status ModelMaker::write_matrix(const TensorSpec& tensor, TensorType type, Progress& progress) {
  constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  const uint64_t block_bytes = hearth::tensor_type_info(type)->block_bytes;
  const uint64_t chunk_bytes = kChunkBytes / block_bytes * block_bytes;
  for (uint64_t left = tensor_bytes(tensor, type); left > 0;) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
    chunk_.resize(static_cast<size_t>(std::min(left, chunk_bytes)));
    if (!fill_random_blocks(chunk_, type, sigma_of(tensor), rng_)) {
      return Error{ErrorCode::kUnsupported, "make-model: cannot write " + tensor.name};
    }
    if (Status status = writer_.write_data(chunk_); !status) return status;
    left -= chunk_.size();
    done_bytes_ += chunk_.size();
    progress.update(done_bytes_, total_bytes_);
  }
  return {};
}

}  // namespace

hearth::Result<int64_t> write_model(const std::string& path, const ModelShape& shape, const TypeMix& mix,
                                    const std::string& vocab, uint64_t seed, Progress& progress) {
  auto writer = GgufWriter::create(path);
  if (!writer) return writer.error();
  ModelMaker maker(*writer, shape, mix, seed);
  Status status = declare_metadata(*writer, shape, mix, vocab);
  if (status) status = maker.declare_tensors();
  if (status) status = maker.write_tensors(progress);
  if (status) status = writer->finish();
  if (!status) return status.error();
  return maker.n_parameters();
}

}  // namespace hearth_tool
