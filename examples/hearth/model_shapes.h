// Shapes of published models, for make-model: sizes, hyper-parameters and the list of tensors.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hearth_tool {

enum class VocabKind { kLlama3, kQwen, kGpt4o, kSmolLm, kSentencePiece, kGemma };

/// Long-context scaling of the rotary frequencies.
enum class RopeScaling { kNone, kLinear, kYarn, kLlama3Factors };

/// One published model; sizes from its config.json.
struct ModelShape {
  const char* name;          ///< as given on the command line
  const char* architecture;  ///< general.architecture
  const char* title;         ///< general.name
  int32_t n_layers, d_model, d_ff, n_heads, n_kv_heads, head_dim, n_vocab;
  bool tied_output;  ///< the output matrix is the embedding
  VocabKind vocab;
  int32_t n_ctx_train;
  float rope_base;
  float norm_eps;
  RopeScaling rope_scaling = RopeScaling::kNone;
  float rope_factor = 1;
  int32_t rope_original_ctx = 0;
  bool qk_norm = false;
  bool post_norms = false;      ///< Gemma: norms after attention and feed-forward too
  bool attention_bias = false;  ///< gpt-oss: biases of attention, router and experts
  bool attention_sinks = false;
  int32_t sliding_window = 0;
  int32_t n_experts = 0, n_experts_used = 0, d_expert = 0;
  bool is_hidden = false;  ///< for tests; not listed
};

std::span<const ModelShape> model_shapes();
/// nullptr when there is none of that name.
const ModelShape* find_model_shape(const std::string& name);

/// What a tensor is for: decides its type in a mix and its random values.
enum class TensorRole {
  kTokenEmbedding,
  kOutput,
  kAttnQ,
  kAttnK,
  kAttnV,
  kAttnOutput,
  kFfnGate,
  kFfnUp,
  kFfnDown,
  kRouter,
  kNorm,
  kBias,
  kRopeFactors,
};

struct TensorSpec {
  std::string name;
  TensorRole role;
  int32_t layer;              ///< -1: outside the layers
  std::vector<int64_t> dims;  ///< row length first
};

/// Every tensor of the model in the order of the file.
std::vector<TensorSpec> list_tensors(const ModelShape& shape);

/// Llama 3's factors [head_dim / 2] that the rotary frequencies are divided by: high frequencies stay, low ones are
/// divided by rope_factor, between them smoothly (Llama 3.1 model card; frequencies 1 and 4 of the original context).
std::vector<float> llama3_rope_factors(const ModelShape& shape);

}  // namespace hearth_tool
