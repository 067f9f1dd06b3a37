// Layout and initial values of the parameters.
#include "examples/train/parameters.h"

namespace train {

bool find_preset(std::string_view name, ModelSizes& sizes) {
  if (name == "base") {
    sizes.d_model = 256, sizes.n_layers = 6, sizes.d_ff = 512;
  } else if (name == "draft") {
    sizes.d_model = 256, sizes.n_layers = 3, sizes.d_ff = 512;
  } else if (name == "tiny") {
    sizes.d_model = 64, sizes.n_layers = 2, sizes.d_ff = 192, sizes.head_dim = 16;
  } else {
    return false;
  }
  return true;
}

Layout::Layout(const ModelSizes& s) : sizes(s) {
  const auto add = [this](const std::string& name, int64_t rows, int64_t cols) {
    tensors.push_back({name, rows, cols, n_parameters});
    n_parameters += rows * cols;
    return tensors.back().offset;
  };
  embedding = add("token_embd.weight", s.n_vocab, s.d_model);
  for (int64_t i = 0; i < s.n_layers; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    LayerOffsets layer{};
    layer.attn_norm = add(blk + "attn_norm.weight", 1, s.d_model);
    layer.wqkv = add(blk + "attn_q.weight", s.d_q(), s.d_model);
    add(blk + "attn_k.weight", s.d_kv(), s.d_model);
    add(blk + "attn_v.weight", s.d_kv(), s.d_model);
    layer.wo = add(blk + "attn_output.weight", s.d_model, s.d_q());
    layer.ffn_norm = add(blk + "ffn_norm.weight", 1, s.d_model);
    layer.gate_up = add(blk + "ffn_gate.weight", s.d_ff, s.d_model);
    add(blk + "ffn_up.weight", s.d_ff, s.d_model);
    layer.down = add(blk + "ffn_down.weight", s.d_model, s.d_ff);
    layers.push_back(layer);
  }
  output_norm = add("output_norm.weight", 1, s.d_model);
}

}  // namespace train
