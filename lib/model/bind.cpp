// Binds tensors to weights by name and shape. Every tensor of the file must be used exactly once.
#include <string>

#include "lib/model/weights.h"

namespace hearth {
namespace {

constexpr int64_t kMaxVocab = 1 << 24;

/// Index of a computable type, or -1.
int type_index(TensorType type) {
  int index = 0;
#define HEARTH_FLOAT_TYPE(Name, size, bytes)     \
  if (type == TensorType::k##Name) return index; \
  ++index;
#define HEARTH_QUANT_TYPE(Name, size, bytes) HEARTH_FLOAT_TYPE(Name, size, bytes)
#define HEARTH_STORE_TYPE(Name, size, bytes)
#include "kernels/quant_types.inc"
#undef HEARTH_FLOAT_TYPE
#undef HEARTH_QUANT_TYPE
#undef HEARTH_STORE_TYPE
  return -1;
}

std::string shape_text(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

/// Looks tensors up, checks them, remembers which were used and the first failure.
class Binder {
 public:
  explicit Binder(const GgufFile& file) : file_(file), used_(file.tensors().size(), false) {}

  /// Marks a tensor as used; nullptr (and an error, if it is required) when absent or of another shape.
  const GgufTensor* take(const std::string& name, std::initializer_list<int64_t> dims, bool required) {
    const GgufTensor* tensor = file_.tensor(name);
    if (!tensor) {
      if (required) fail(ErrorCode::kFormat, "missing tensor " + name);
      return nullptr;
    }
    const std::span<const int64_t> want(dims.begin(), dims.size());
    for (size_t i = 0; i < 4; ++i) {
      if (tensor->dims[i] != (i < want.size() ? want[i] : 1)) {
        fail(ErrorCode::kFormat, "tensor " + name + " has shape " +
                                     shape_text(std::span(tensor->dims.data(), tensor->n_dims)) + ", expected " +
                                     shape_text(want));
        return nullptr;
      }
    }
    used_[static_cast<size_t>(tensor - file_.tensors().data())] = true;
    return tensor;
  }

  void matrix(Matrix& out, const std::string& name, int64_t cols, int64_t rows, bool required) {
    fill(out, take(name, {cols, rows}, required), cols, rows);
  }

  /// `base`.weight and, where the file has it, `base`.bias.
  void linear(Linear& out, const std::string& base, int64_t cols, int64_t rows, bool required = true) {
    matrix(out.w, base + ".weight", cols, rows, required);
    if (out.w) floats(out.b, base + ".bias", rows, false);
  }

  void experts(ExpertLinear& out, const std::string& base, int64_t cols, int64_t rows, int64_t n,
               bool required = true) {
    fill(out.w, take(base + ".weight", {cols, rows, n}, required), cols, rows);
    out.stride_bytes = out.w.row_bytes * rows;
    if (const GgufTensor* bias = out.w ? take_optional(base + ".bias", {rows, n}) : nullptr) copy(out.b, *bias);
  }

  void norm(Norm& out, const std::string& base, int64_t n, bool required) {
    floats(out.w, base + ".weight", n, required);
    if (out) floats(out.b, base + ".bias", n, false);
  }

  void floats(Floats& out, const std::string& name, int64_t n, bool required) {
    if (const GgufTensor* tensor = take(name, {n}, required)) copy(out, *tensor);
  }

  bool has(const std::string& name) const { return file_.tensor(name) != nullptr; }

  void fail(ErrorCode code, std::string message) {
    if (ok_) error_ = {code, std::move(message)};
    ok_ = false;
  }

  /// The first failure; or the first tensor that nobody took.
  Status finish() {
    if (!ok_) return error_;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (!used_[i])
        return Error{ErrorCode::kFormat,
                     "tensor " + std::string(file_.tensors()[i].name) + " is not used by this architecture"};
    }
    return {};
  }

 private:
  const GgufTensor* take_optional(const std::string& name, std::initializer_list<int64_t> dims) {
    return take(name, dims, false);
  }

  void fill(Matrix& out, const GgufTensor* tensor, int64_t cols, int64_t rows) {
    if (!tensor) return;
    const int index = type_index(tensor->type);
    if (index < 0) {
      const TensorTypeInfo* info = tensor_type_info(tensor->type);
      return fail(ErrorCode::kUnsupported, "tensor " + std::string(tensor->name) + " has type " +
                                               (info ? info->name : "?") + ", which this build cannot compute with");
    }
    const TensorTypeInfo& info = *tensor_type_info(tensor->type);
    out = {tensor->data, static_cast<kernels::TypeIndex>(index), rows, cols, cols / info.block_size * info.block_bytes};
  }

  void copy(Floats& out, const GgufTensor& tensor) {
    const int index = type_index(tensor.type);
    if (index < 0)
      return fail(ErrorCode::kUnsupported, "tensor " + std::string(tensor.name) + " is not of a float type");
    out.resize(static_cast<size_t>(tensor.n_elements));
    if (tensor.data) kernels::kernels().types[index].dequantize(out.data(), tensor.data, tensor.n_elements);
  }

  const GgufFile& file_;
  std::vector<bool> used_;
  bool ok_ = true;
  Error error_;
};

void bind_attention(Binder& bind, LayerWeights& layer, const std::string& blk, const Architecture& arch,
                    const HParams& hp, const LayerShape& shape) {
  const int64_t d = hp.d_model;
  const int64_t q_rows = int64_t{shape.n_heads} * shape.k_dim;
  const int64_t k_rows = int64_t{shape.n_kv_heads} * shape.k_dim;
  const int64_t v_rows = int64_t{shape.n_kv_heads} * shape.v_dim;
  const bool pre = arch.norm_place == NormPlace::kPre;
  if (pre) bind.norm(layer.attn_norm, blk + "attn_norm", d, true);
  bind.linear(layer.q, blk + "attn_q", d, q_rows);
  bind.linear(layer.k, blk + "attn_k", d, k_rows);
  bind.linear(layer.v, blk + "attn_v", d, v_rows);
  if (arch.qk_norm) {
    bind.norm(layer.q_norm, blk + "attn_q_norm", shape.k_dim, true);
    bind.norm(layer.k_norm, blk + "attn_k_norm", shape.k_dim, true);
  }
  bind.linear(layer.o, blk + "attn_output", int64_t{shape.n_heads} * shape.v_dim, d);
  bind.floats(layer.sinks, blk + "attn_sinks.weight", shape.n_heads, false);
}

void bind_experts(Binder& bind, LayerWeights& layer, const std::string& blk, const HParams& hp) {
  const ExpertParams& moe = hp.experts;
  const int64_t d = hp.d_model;
  bind.linear(layer.router, blk + "ffn_gate_inp", d, moe.n_experts);
  bind.floats(layer.router_selection_bias, blk + "exp_probs_b.bias", moe.n_experts, false);
  bind.experts(layer.expert_gate, blk + "ffn_gate_exps", d, moe.d_ff, moe.n_experts);
  bind.experts(layer.expert_up, blk + "ffn_up_exps", d, moe.d_ff, moe.n_experts);
  bind.experts(layer.expert_down, blk + "ffn_down_exps", moe.d_ff, d, moe.n_experts);
  if (moe.d_ff_shared > 0) {
    bind.linear(layer.shared_gate, blk + "ffn_gate_shexp", d, moe.d_ff_shared);
    bind.linear(layer.shared_up, blk + "ffn_up_shexp", d, moe.d_ff_shared);
    bind.linear(layer.shared_down, blk + "ffn_down_shexp", moe.d_ff_shared, d);
  }
}

void bind_ffn(Binder& bind, LayerWeights& layer, const std::string& blk, const Architecture& arch, const HParams& hp,
              const LayerShape& shape) {
  const int64_t d = hp.d_model;
  if (arch.norm_place == NormPlace::kPre) bind.norm(layer.ffn_norm, blk + arch.ffn_norm_name, d, true);
  if (shape.experts) return bind_experts(bind, layer, blk, hp);
  if (arch.gated) bind.linear(layer.gate, blk + "ffn_gate", d, shape.d_ff);
  bind.linear(layer.up, blk + "ffn_up", d, shape.d_ff);
  bind.linear(layer.down, blk + "ffn_down", shape.d_ff, d);
}

}  // namespace

Result<Weights> bind_weights(const GgufFile& file, const Architecture& arch, HParams& hp) {
  const GgufTensor* embedding = file.tensor("token_embd.weight");
  if (!embedding) return Error{ErrorCode::kFormat, "missing tensor token_embd.weight"};
  if (embedding->dims[1] < 1 || embedding->dims[1] > kMaxVocab) {
    return Error{ErrorCode::kFormat, "tensor token_embd.weight has " + std::to_string(embedding->dims[1]) + " rows"};
  }
  hp.n_vocab = static_cast<int>(embedding->dims[1]);
  if (!file.tensor("blk." + std::to_string(hp.n_layers - 1) + ".attn_output.weight")) {
    return Error{ErrorCode::kFormat, std::string(arch.name) + ".block_count: " + std::to_string(hp.n_layers) +
                                         " layers, but there is no tensor blk." + std::to_string(hp.n_layers - 1) +
                                         ".attn_output.weight"};
  }
  Binder bind(file);
  Weights weights;
  const int64_t d = hp.d_model;
  bind.linear(weights.token_embedding, "token_embd", d, hp.n_vocab);
  if (arch.embedding_norm) bind.norm(weights.embedding_norm, "token_embd_norm", d, true);
  bind.norm(weights.output_norm, "output_norm", d, arch.norm_place != NormPlace::kAfterAdd);
  bind.linear(weights.output, "output", d, hp.n_vocab, false);
  if (!weights.output) weights.output = weights.token_embedding;
  if (!hp.ropes.empty() && arch.rope != RopeLayout::kNone) {
    const int64_t half = hp.ropes[0].n_rot / 2;
    bind.floats(weights.rope_factors, "rope_freqs.weight", half, false);
    bind.floats(weights.rope_factors_long, "rope_factors_long.weight", half, false);
    bind.floats(weights.rope_factors_short, "rope_factors_short.weight", half, false);
  }
  weights.layers.resize(static_cast<size_t>(hp.n_layers));
  for (int i = 0; i < hp.n_layers; ++i) {
    const auto at = static_cast<size_t>(i);
    const std::string blk = "blk." + std::to_string(i) + ".";
    LayerWeights& layer = weights.layers[at];
    bind_attention(bind, layer, blk, arch, hp, hp.layers[at]);
    if (arch.post_norms) bind.norm(layer.attn_post_norm, blk + "post_attention_norm", d, true);
    bind_ffn(bind, layer, blk, arch, hp, hp.layers[at]);
    if (arch.post_norms) bind.norm(layer.ffn_post_norm, blk + "post_ffw_norm", d, true);
  }
  if (Status status = bind.finish(); !status) return status.error();
  return weights;
}

}  // namespace hearth
