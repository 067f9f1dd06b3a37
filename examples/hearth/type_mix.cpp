// The rules of llama.cpp's mixes (llama-quantize without an importance matrix), as facts: matrices that suffer most
// from few bits get more. Types that it makes only with such a matrix, or ternary ones, are used for all but the
// output.
#include "type_mix.h"

#include <algorithm>
#include <cctype>

namespace hearth_tool {
namespace {

using hearth::TensorType;

const TypeMix kMixes[] = {
    {"f32", "F32", TensorType::kF32, 0},
    {"f16", "F16", TensorType::kF16, 1},
    {"bf16", "BF16", TensorType::kBF16, 32},
    {"q8_0", "Q8_0", TensorType::kQ8_0, 7},
    {"q4_0", "Q4_0", TensorType::kQ4_0, 2},
    {"q4_1", "Q4_1", TensorType::kQ4_1, 3},
    {"q5_0", "Q5_0", TensorType::kQ5_0, 8},
    {"q5_1", "Q5_1", TensorType::kQ5_1, 9},
    {"q2_k", "Q2_K", TensorType::kQ2_K, 10},
    {"q3_k_s", "Q3_K_S", TensorType::kQ3_K, 11},
    {"q3_k_m", "Q3_K_M", TensorType::kQ3_K, 12},
    {"q3_k_l", "Q3_K_L", TensorType::kQ3_K, 13},
    {"q4_k_s", "Q4_K_S", TensorType::kQ4_K, 14},
    {"q4_k_m", "Q4_K_M", TensorType::kQ4_K, 15},
    {"q5_k_s", "Q5_K_S", TensorType::kQ5_K, 16},
    {"q5_k_m", "Q5_K_M", TensorType::kQ5_K, 17},
    {"q6_k", "Q6_K", TensorType::kQ6_K, 18},
    {"iq4_nl", "IQ4_NL", TensorType::kIQ4_NL, 25},
    {"iq4_xs", "IQ4_XS", TensorType::kIQ4_XS, 30},
    {"mxfp4", "MXFP4", TensorType::kMXFP4, 38},
    {"iq1_s", "IQ1_S", TensorType::kIQ1_S, 24},
    {"iq1_m", "IQ1_M", TensorType::kIQ1_M, 31},
    {"iq2_xxs", "IQ2_XXS", TensorType::kIQ2_XXS, 19},
    {"iq2_xs", "IQ2_XS", TensorType::kIQ2_XS, 20},
    {"iq2_s", "IQ2_S", TensorType::kIQ2_S, 28},
    {"iq3_xxs", "IQ3_XXS", TensorType::kIQ3_XXS, 23},
    {"iq3_s", "IQ3_S", TensorType::kIQ3_S, 26},
    {"nvfp4", "NVFP4", TensorType::kNVFP4, 39},
    {"q1_0", "Q1_0", TensorType::kQ1_0, 40},
    {"q2_0", "Q2_0", TensorType::kQ2_0, 41},
    {"tq1_0", "TQ1_0", TensorType::kTQ1_0, 36},
    {"tq2_0", "TQ2_0", TensorType::kTQ2_0, 37},
};

/// The first eighth, the last eighth, and every third layer between.
bool gets_more_bits(int layer, int n_layers) {
  return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

bool is(const TypeMix& mix, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return std::string(n) == mix.name; });
}

TensorType attention_value_type(const TypeMix& mix, const ModelShape& shape, int layer) {
  const bool is_shared = shape.n_heads / shape.n_kv_heads >= 4;
  if (shape.n_experts == 8) return TensorType::kQ8_0;
  if (is(mix, {"q2_k"})) return is_shared ? TensorType::kQ4_K : TensorType::kQ3_K;
  if (is(mix, {"q3_k_m"})) return layer < 2 ? TensorType::kQ5_K : TensorType::kQ4_K;
  if (is(mix, {"q3_k_l"})) return TensorType::kQ5_K;
  if (is(mix, {"iq4_nl", "iq4_xs"}) && is_shared) return TensorType::kQ5_K;
  if (is(mix, {"q4_k_m", "q5_k_m"}) && gets_more_bits(layer, shape.n_layers)) return TensorType::kQ6_K;
  if (is(mix, {"q4_k_s"}) && layer < 4) return TensorType::kQ5_K;
  return mix.base;
}

TensorType attention_output_type(const TypeMix& mix, const ModelShape& shape) {
  if (shape.n_experts == 8) {
    const bool is_small = is(mix, {"q2_k", "q3_k_s", "q3_k_m", "q4_k_s", "q4_k_m", "iq4_nl", "iq4_xs"});
    return is_small ? TensorType::kQ5_K : mix.base;
  }
  if (is(mix, {"q2_k"})) return TensorType::kQ3_K;
  if (is(mix, {"q3_k_m"})) return TensorType::kQ4_K;
  if (is(mix, {"q3_k_l"})) return TensorType::kQ5_K;
  return mix.base;
}

TensorType ffn_down_type(const TypeMix& mix, int layer, int n_layers) {
  if (is(mix, {"q2_k"})) return TensorType::kQ3_K;
  if (is(mix, {"q3_k_m"})) return layer < n_layers / 16 ? TensorType::kQ5_K : TensorType::kQ4_K;
  if (is(mix, {"q3_k_l"})) return TensorType::kQ5_K;
  if (is(mix, {"q4_k_m", "q5_k_m"}) && gets_more_bits(layer, n_layers)) return TensorType::kQ6_K;
  if (is(mix, {"iq4_nl", "iq4_xs", "q4_k_s"}) && layer < n_layers / 8) return TensorType::kQ5_K;
  return mix.base;
}

TensorType matrix_type(const TypeMix& mix, const ModelShape& shape, const TensorSpec& tensor) {
  if (is(mix, {"f32", "f16", "bf16"})) return mix.base;
  const bool is_output =
      tensor.role == TensorRole::kOutput || (tensor.role == TensorRole::kTokenEmbedding && shape.tied_output);
  if (is(mix, {"mxfp4"})) {
    // With experts as llama.cpp has it: only they are MXFP4. Without, where it has no use for the name: all but the
    // embeddings.
    const bool is_expert = tensor.dims.size() > 2;
    const bool is_embedding = is_output || tensor.role == TensorRole::kTokenEmbedding;
    return is_expert || (shape.n_experts == 0 && !is_embedding) ? TensorType::kMXFP4 : TensorType::kQ8_0;
  }
  if (is_output) {
    const int64_t block = hearth::tensor_type_info(mix.base)->block_size;
    return mix.base == TensorType::kQ8_0 || tensor.dims[0] % block != 0 ? TensorType::kQ8_0 : TensorType::kQ6_K;
  }
  switch (tensor.role) {
    case TensorRole::kAttnV: return attention_value_type(mix, shape, tensor.layer);
    case TensorRole::kAttnK: return shape.n_experts == 8 ? TensorType::kQ8_0 : mix.base;
    case TensorRole::kAttnOutput: return attention_output_type(mix, shape);
    case TensorRole::kFfnDown: return ffn_down_type(mix, tensor.layer, shape.n_layers);
    default: return mix.base;
  }
}

/// A type of blocks of 32 in place of one of 256 when these do not divide the row; F16 when 32 does not either.
TensorType fit_row(TensorType type, int64_t row) {
  const auto fits = [row](TensorType t) { return row % hearth::tensor_type_info(t)->block_size == 0; };
  if (fits(type)) return type;
  TensorType other = type;
  switch (type) {
    case TensorType::kIQ4_XS: other = TensorType::kIQ4_NL; break;
    case TensorType::kIQ1_S:
    case TensorType::kIQ1_M:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S:
    case TensorType::kIQ3_XXS:
    case TensorType::kIQ3_S: other = TensorType::kIQ4_NL; break;
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0:
    case TensorType::kQ2_K:
    case TensorType::kQ3_K: other = TensorType::kQ4_0; break;
    case TensorType::kQ4_K: other = TensorType::kQ5_0; break;
    case TensorType::kQ5_K: other = TensorType::kQ5_1; break;
    case TensorType::kQ6_K: other = TensorType::kQ8_0; break;
    default: break;
  }
  return fits(other) ? other : TensorType::kF16;
}

}  // namespace

const TypeMix* find_type_mix(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const TypeMix& mix : kMixes) {
    if (lower == mix.name) return &mix;
  }
  return nullptr;
}

std::span<const TypeMix> type_mixes() {
  return kMixes;
}

std::string type_mix_names() {
  std::string names;
  for (const TypeMix& mix : kMixes) names += (names.empty() ? "" : ", ") + std::string(mix.name);
  return names;
}

TensorType choose_type(const TypeMix& mix, const ModelShape& shape, const TensorSpec& tensor) {
  switch (tensor.role) {
    case TensorRole::kNorm:
    case TensorRole::kBias:
    case TensorRole::kRouter:
    case TensorRole::kRopeFactors: return TensorType::kF32;
    default: return fit_row(matrix_type(mix, shape, tensor), tensor.dims[0]);
  }
}

}  // namespace hearth_tool
