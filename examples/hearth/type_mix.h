// Which tensor gets which type in a quantised file: the mixes that llama.cpp's quantizer gives for a name.
#pragma once

#include <span>
#include <string>

#include "hearth/gguf.h"
#include "model_shapes.h"

namespace hearth_tool {

struct TypeMix {
  const char* name;         ///< "q4_k_m"
  const char* title;        ///< "Q4_K_M"
  hearth::TensorType base;  ///< of the tensors without a rule
  uint32_t file_type;       ///< general.file_type
};

/// nullptr when there is none; names compare without case.
const TypeMix* find_type_mix(const std::string& name);
std::span<const TypeMix> type_mixes();
/// "f32, f16, ..."
std::string type_mix_names();

/// Type of one tensor of a shape in a mix, the fall-backs for row lengths that the block does not divide included.
hearth::TensorType choose_type(const TypeMix& mix, const ModelShape& shape, const TensorSpec& tensor);

}  // namespace hearth_tool
