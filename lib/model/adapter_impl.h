// What a hearth::Adapter holds: pairs of low-rank matrices by the tensors that they change, or one vector a layer.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "hearth/adapter.h"
#include "hearth/gguf.h"
#include "lib/matmul/matmul.h"
#include "lib/model/weights.h"

namespace hearth {

/// y += strength * B (A x). The matrices of experts lie one after the other.
struct LowRankPair {
  std::string_view name;  ///< of the model's tensor, as Linear::name: the same characters, not only equal ones
  Matrix a;               ///< [rank, columns of the tensor]; of the embedding: [n_vocab, rank]
  Matrix b;               ///< [rows of the tensor, rank]; of the embedding: [d_model, rank]
  int64_t n_experts = 0;  ///< 0: not of experts
  float strength = 1.0f;  ///< alpha / rank, alpha / sqrt(rank), or 1 without alpha
  int64_t rank() const { return b.cols; }
  int64_t a_stride_bytes() const { return n_experts > 0 ? a.rows * a.row_bytes : 0; }
  int64_t b_stride_bytes() const { return n_experts > 0 ? b.rows * b.row_bytes : 0; }
};

struct Adapter::Impl {
  Impl(Model of, GgufFile opened) : model(std::move(of)), file(std::move(opened)) {}

  /// The pair of the tensor with this very name (compared by address), or nullptr.
  const LowRankPair* find(std::string_view name) const;

  Model model;
  GgufFile file;
  AdapterInfo info;
  uint64_t content_hash = 0;
  std::vector<LowRankPair> pairs;        ///< sorted by the addresses of their names
  std::optional<LowRankPair> embedding;  ///< of token_embd.weight
  std::vector<FloatArray> directions;    ///< [n_layers], each [d_model] or empty; empty for LoRA
};

/// The way into an adapter for other parts of the library and for tests.
struct AdapterInternals {
  static const Adapter::Impl& of(const Adapter& adapter) { return *adapter.impl_; }
};

}  // namespace hearth
