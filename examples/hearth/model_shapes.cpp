// The table of shapes. Sources: the config.json files of the models on Hugging Face.
#include "model_shapes.h"

#include <cmath>
#include <numbers>

namespace hearth_tool {
namespace {

// clang-format off
const ModelShape kShapes[] = {
    {.name = "llama-1b", .architecture = "llama", .title = "Llama 3.2 1B (random weights)",
     .n_layers = 16, .d_model = 2048, .d_ff = 8192, .n_heads = 32, .n_kv_heads = 8, .head_dim = 64, .n_vocab = 128256,
     .tied_output = true, .vocab = VocabKind::kLlama3, .n_ctx_train = 131072, .rope_base = 500000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kLlama3Factors, .rope_factor = 32, .rope_original_ctx = 8192},
    {.name = "llama-3b", .architecture = "llama", .title = "Llama 3.2 3B (random weights)",
     .n_layers = 28, .d_model = 3072, .d_ff = 8192, .n_heads = 24, .n_kv_heads = 8, .head_dim = 128, .n_vocab = 128256,
     .tied_output = true, .vocab = VocabKind::kLlama3, .n_ctx_train = 131072, .rope_base = 500000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kLlama3Factors, .rope_factor = 32, .rope_original_ctx = 8192},
    {.name = "llama-8b", .architecture = "llama", .title = "Llama 3.1 8B (random weights)",
     .n_layers = 32, .d_model = 4096, .d_ff = 14336, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .n_vocab = 128256,
     .tied_output = false, .vocab = VocabKind::kLlama3, .n_ctx_train = 131072, .rope_base = 500000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kLlama3Factors, .rope_factor = 8, .rope_original_ctx = 8192},
    {.name = "qwen3-0.6b", .architecture = "qwen3", .title = "Qwen3 0.6B (random weights)",
     .n_layers = 28, .d_model = 1024, .d_ff = 3072, .n_heads = 16, .n_kv_heads = 8, .head_dim = 128, .n_vocab = 151936,
     .tied_output = true, .vocab = VocabKind::kQwen, .n_ctx_train = 40960, .rope_base = 1000000, .norm_eps = 1e-6f,
     .qk_norm = true},
    {.name = "qwen3-4b", .architecture = "qwen3", .title = "Qwen3 4B (random weights)",
     .n_layers = 36, .d_model = 2560, .d_ff = 9728, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128, .n_vocab = 151936,
     .tied_output = true, .vocab = VocabKind::kQwen, .n_ctx_train = 40960, .rope_base = 1000000, .norm_eps = 1e-6f,
     .qk_norm = true},
    {.name = "qwen3-30b-a3b", .architecture = "qwen3moe", .title = "Qwen3 30B A3B (random weights)",
     .n_layers = 48, .d_model = 2048, .d_ff = 6144, .n_heads = 32, .n_kv_heads = 4, .head_dim = 128, .n_vocab = 151936,
     .tied_output = false, .vocab = VocabKind::kQwen, .n_ctx_train = 40960, .rope_base = 1000000, .norm_eps = 1e-6f,
     .qk_norm = true, .n_experts = 128, .n_experts_used = 8, .d_expert = 768},
    {.name = "smollm2-135m", .architecture = "llama", .title = "SmolLM2 135M (random weights)",
     .n_layers = 30, .d_model = 576, .d_ff = 1536, .n_heads = 9, .n_kv_heads = 3, .head_dim = 64, .n_vocab = 49152,
     .tied_output = true, .vocab = VocabKind::kSmolLm, .n_ctx_train = 8192, .rope_base = 100000, .norm_eps = 1e-5f},
    {.name = "tinyllama-1.1b", .architecture = "llama", .title = "TinyLlama 1.1B (random weights)",
     .n_layers = 22, .d_model = 2048, .d_ff = 5632, .n_heads = 32, .n_kv_heads = 4, .head_dim = 64, .n_vocab = 32000,
     .tied_output = false, .vocab = VocabKind::kSentencePiece, .n_ctx_train = 2048, .rope_base = 10000, .norm_eps = 1e-5f},
    {.name = "gemma3-4b", .architecture = "gemma3", .title = "Gemma 3 4B (random weights)",
     .n_layers = 34, .d_model = 2560, .d_ff = 10240, .n_heads = 8, .n_kv_heads = 4, .head_dim = 256, .n_vocab = 262208,
     .tied_output = true, .vocab = VocabKind::kGemma, .n_ctx_train = 131072, .rope_base = 1000000, .norm_eps = 1e-6f,
     .rope_scaling = RopeScaling::kLinear, .rope_factor = 8, .qk_norm = true, .post_norms = true, .sliding_window = 1024},
    {.name = "gpt-oss-20b", .architecture = "gpt-oss", .title = "gpt-oss 20B (random weights)",
     .n_layers = 24, .d_model = 2880, .d_ff = 2880, .n_heads = 64, .n_kv_heads = 8, .head_dim = 64, .n_vocab = 201088,
     .tied_output = false, .vocab = VocabKind::kGpt4o, .n_ctx_train = 131072, .rope_base = 150000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kYarn, .rope_factor = 32, .rope_original_ctx = 4096, .attention_bias = true,
     .attention_sinks = true, .sliding_window = 128, .n_experts = 32, .n_experts_used = 4, .d_expert = 2880},
    {.name = "tiny-llama-test", .architecture = "llama", .title = "a tiny Llama for tests (random weights)",
     .n_layers = 3, .d_model = 256, .d_ff = 512, .n_heads = 4, .n_kv_heads = 2, .head_dim = 64, .n_vocab = 1024,
     .tied_output = true, .vocab = VocabKind::kLlama3, .n_ctx_train = 512, .rope_base = 500000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kLlama3Factors, .rope_factor = 8, .rope_original_ctx = 64, .is_hidden = true},
    {.name = "tiny-spm-test", .architecture = "llama", .title = "a tiny Llama with SentencePiece (random weights)",
     .n_layers = 2, .d_model = 96, .d_ff = 160, .n_heads = 3, .n_kv_heads = 1, .head_dim = 32, .n_vocab = 700,
     .tied_output = false, .vocab = VocabKind::kSentencePiece, .n_ctx_train = 256, .rope_base = 10000, .norm_eps = 1e-5f,
     .is_hidden = true},
    {.name = "tiny-qwen3moe-test", .architecture = "qwen3moe", .title = "a tiny Qwen3 mixture of experts (random weights)",
     .n_layers = 3, .d_model = 256, .d_ff = 512, .n_heads = 4, .n_kv_heads = 1, .head_dim = 64, .n_vocab = 1024,
     .tied_output = false, .vocab = VocabKind::kQwen, .n_ctx_train = 512, .rope_base = 1000000, .norm_eps = 1e-6f,
     .qk_norm = true, .n_experts = 8, .n_experts_used = 2, .d_expert = 256, .is_hidden = true},
    {.name = "tiny-qwen3-test", .architecture = "qwen3", .title = "a tiny Qwen3 (random weights)",
     .n_layers = 2, .d_model = 256, .d_ff = 512, .n_heads = 4, .n_kv_heads = 2, .head_dim = 128, .n_vocab = 1024,
     .tied_output = true, .vocab = VocabKind::kQwen, .n_ctx_train = 512, .rope_base = 1000000, .norm_eps = 1e-6f,
     .qk_norm = true, .is_hidden = true},
    {.name = "tiny-gemma3-test", .architecture = "gemma3", .title = "a tiny Gemma 3 (random weights)",
     .n_layers = 7, .d_model = 256, .d_ff = 512, .n_heads = 2, .n_kv_heads = 1, .head_dim = 256, .n_vocab = 1024,
     .tied_output = true, .vocab = VocabKind::kGemma, .n_ctx_train = 512, .rope_base = 1000000, .norm_eps = 1e-6f,
     .rope_scaling = RopeScaling::kLinear, .rope_factor = 8, .qk_norm = true, .post_norms = true, .sliding_window = 32,
     .is_hidden = true},
    {.name = "tiny-gpt-oss-test", .architecture = "gpt-oss", .title = "a tiny gpt-oss (random weights)",
     .n_layers = 3, .d_model = 96, .d_ff = 96, .n_heads = 4, .n_kv_heads = 2, .head_dim = 64, .n_vocab = 2048,
     .tied_output = false, .vocab = VocabKind::kGpt4o, .n_ctx_train = 512, .rope_base = 150000, .norm_eps = 1e-5f,
     .rope_scaling = RopeScaling::kYarn, .rope_factor = 32, .rope_original_ctx = 64, .attention_bias = true,
     .attention_sinks = true, .sliding_window = 32, .n_experts = 8, .n_experts_used = 2, .d_expert = 96,
     .is_hidden = true},
};
// clang-format on

class TensorList {
 public:
  explicit TensorList(const ModelShape& shape) : shape_(shape) {}
  std::vector<TensorSpec> build();

 private:
  void add(const std::string& name, TensorRole role, std::vector<int64_t> dims) {
    const std::string prefix = layer_ >= 0 ? "blk." + std::to_string(layer_) + "." : "";
    list_.push_back({prefix + name, role, layer_, std::move(dims)});
  }
  void add_attention();
  void add_dense_ffn();
  void add_experts();

  const ModelShape& shape_;
  int32_t layer_ = -1;
  std::vector<TensorSpec> list_;
};

void TensorList::add_attention() {
  const int64_t d = shape_.d_model, q = int64_t{shape_.n_heads} * shape_.head_dim;
  const int64_t kv = int64_t{shape_.n_kv_heads} * shape_.head_dim;
  add("attn_norm.weight", TensorRole::kNorm, {d});
  add("attn_q.weight", TensorRole::kAttnQ, {d, q});
  add("attn_k.weight", TensorRole::kAttnK, {d, kv});
  add("attn_v.weight", TensorRole::kAttnV, {d, kv});
  add("attn_output.weight", TensorRole::kAttnOutput, {q, d});
  if (shape_.attention_bias) {
    add("attn_q.bias", TensorRole::kBias, {q});
    add("attn_k.bias", TensorRole::kBias, {kv});
    add("attn_v.bias", TensorRole::kBias, {kv});
    add("attn_output.bias", TensorRole::kBias, {d});
  }
  if (shape_.qk_norm) {
    add("attn_q_norm.weight", TensorRole::kNorm, {shape_.head_dim});
    add("attn_k_norm.weight", TensorRole::kNorm, {shape_.head_dim});
  }
  if (shape_.attention_sinks) add("attn_sinks.weight", TensorRole::kBias, {shape_.n_heads});
}

void TensorList::add_dense_ffn() {
  const int64_t d = shape_.d_model, ff = shape_.d_ff;
  add("ffn_gate.weight", TensorRole::kFfnGate, {d, ff});
  add("ffn_up.weight", TensorRole::kFfnUp, {d, ff});
  add("ffn_down.weight", TensorRole::kFfnDown, {ff, d});
}

void TensorList::add_experts() {
  const int64_t d = shape_.d_model, ff = shape_.d_expert, n = shape_.n_experts;
  add("ffn_gate_inp.weight", TensorRole::kRouter, {d, n});
  add("ffn_gate_exps.weight", TensorRole::kFfnGate, {d, ff, n});
  add("ffn_up_exps.weight", TensorRole::kFfnUp, {d, ff, n});
  add("ffn_down_exps.weight", TensorRole::kFfnDown, {ff, d, n});
  if (!shape_.attention_bias) return;
  add("ffn_gate_inp.bias", TensorRole::kBias, {n});
  add("ffn_gate_exps.bias", TensorRole::kBias, {ff, n});
  add("ffn_up_exps.bias", TensorRole::kBias, {ff, n});
  add("ffn_down_exps.bias", TensorRole::kBias, {d, n});
}

std::vector<TensorSpec> TensorList::build() {
  const int64_t d = shape_.d_model;
  add("token_embd.weight", TensorRole::kTokenEmbedding, {d, shape_.n_vocab});
  if (shape_.rope_scaling == RopeScaling::kLlama3Factors) {
    add("rope_freqs.weight", TensorRole::kRopeFactors, {shape_.head_dim / 2});
  }
  for (layer_ = 0; layer_ < shape_.n_layers; ++layer_) {
    add_attention();
    if (shape_.post_norms || shape_.attention_sinks) add("post_attention_norm.weight", TensorRole::kNorm, {d});
    if (!shape_.attention_sinks) add("ffn_norm.weight", TensorRole::kNorm, {d});  // gpt-oss has only the former
    if (shape_.n_experts > 0) {
      add_experts();
    } else {
      add_dense_ffn();
    }
    if (shape_.post_norms) add("post_ffw_norm.weight", TensorRole::kNorm, {d});
  }
  layer_ = -1;
  add("output_norm.weight", TensorRole::kNorm, {d});
  if (!shape_.tied_output) add("output.weight", TensorRole::kOutput, {d, shape_.n_vocab});
  return std::move(list_);
}

}  // namespace

std::span<const ModelShape> model_shapes() {
  return kShapes;
}

const ModelShape* find_model_shape(const std::string& name) {
  for (const ModelShape& shape : kShapes) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

std::vector<TensorSpec> list_tensors(const ModelShape& shape) {
  return TensorList(shape).build();
}

std::vector<float> llama3_rope_factors(const ModelShape& shape) {
  constexpr double kLowFrequency = 1, kHighFrequency = 4;
  std::vector<float> factors;
  for (int i = 0; i < shape.head_dim / 2; ++i) {
    const double frequency = std::pow(shape.rope_base, -2.0 * i / shape.head_dim);
    const double rotations = shape.rope_original_ctx * frequency / (2 * std::numbers::pi);
    double factor = 1;
    if (rotations < kLowFrequency) {
      factor = shape.rope_factor;
    } else if (rotations <= kHighFrequency) {
      const double smooth = (rotations - kLowFrequency) / (kHighFrequency - kLowFrequency);
      factor = 1 / ((1 - smooth) / shape.rope_factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

}  // namespace hearth_tool
