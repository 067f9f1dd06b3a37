// The model's sizes, and its parameters as one flat vector: gradients, moments and checkpoints share that layout.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace train {

/// Numbers whose address is aligned, so that vectorised sums are split alike in every run.
template <typename S>
using Aligned = std::vector<S, Eigen::aligned_allocator<S>>;
using Floats = Aligned<float>;

/// The llama architecture with tied output. head_dim is even.
struct ModelSizes {
  int64_t n_vocab = 2048, d_model = 256, n_layers = 6, n_heads = 4, n_kv_heads = 2, head_dim = 64, d_ff = 768,
          n_ctx = 512;
  float rope_base = 10000.0f;
  float rms_eps = 1e-5f;

  int64_t d_q() const { return n_heads * head_dim; }
  int64_t d_kv() const { return n_kv_heads * head_dim; }
  bool operator==(const ModelSizes&) const = default;
};

/// "base": 5 million parameters; "draft": half of it, to guess ahead for the former; "tiny": for trials.
/// False for another name. n_vocab is left alone.
bool find_preset(std::string_view name, ModelSizes& sizes);

/// One tensor [rows, cols], row-major at `offset` of the flat vector; a norm has one row.
struct Tensor {
  std::string name;  ///< as GGUF files call it
  int64_t rows, cols, offset;
  int64_t size() const { return rows * cols; }
  bool is_norm() const { return rows == 1; }
};

/// Offsets of one layer. wq, wk, wv follow each other, as do gate and up: each group is one matrix to the products.
struct LayerOffsets {
  int64_t attn_norm, wqkv, wo, ffn_norm, gate_up, down;
};

struct Layout {
  explicit Layout(const ModelSizes& sizes);

  ModelSizes sizes;
  int64_t embedding = 0, output_norm = 0;
  std::vector<LayerOffsets> layers;
  std::vector<Tensor> tensors;  ///< in the order of the offsets
  int64_t n_parameters = 0;
};

}  // namespace train
