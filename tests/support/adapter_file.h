// A LoRA adapter or a control vector for a self-made model, as GGUF bytes, and its merge into the model's weights in
// double precision.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "support/tiny_model.h"

namespace hearth::testing {

class AdapterFile {
 public:
  /// A and B of `rank` for every matrix of the model that is multiplied, and for its embedding; alpha is twice the
  /// rank.
  AdapterFile(const TinyModel& model, int64_t rank, unsigned seed = 7) : tiny(shape(seed)) {
    clear();
    tiny.architecture = model.architecture;
    tiny.texts = {{"general.type", "adapter"}, {"adapter.type", "lora"}};
    tiny.floats["adapter.lora.alpha"] = 2.0f * static_cast<float>(rank);
    for (const auto& [name, tensor] : model.tensors) {
      if (!name.ends_with(".weight") || tensor.dims.size() < 2 || is_table(name)) continue;
      std::vector<int64_t> a = tensor.dims, b = tensor.dims;
      a[1] = rank, b[0] = rank;
      if (name == "token_embd.weight") a = {rank, tensor.dims[1]}, b = {rank, tensor.dims[0]};
      tiny.add(name + ".lora_a", a), tiny.add(name + ".lora_b", b);
      for (float& value : tiny.tensors[name + ".lora_b"].values) value *= 0.25f;
    }
  }

  static AdapterFile directions(int64_t width, const std::vector<int>& layers) {
    AdapterFile file(TinyModel(), 1);
    file.clear();
    file.tiny.architecture = "controlvector";
    file.tiny.texts = {{"controlvector.model_hint", "llama"}};
    for (const int layer : layers) file.tiny.add("direction." + std::to_string(layer), {width});
    for (auto& [name, tensor] : file.tiny.tensors) {
      for (float& value : tensor.values) value *= 3.0f;
    }
    return file;
  }

  TinyModel tiny;  ///< open for tests that spoil one thing
  std::vector<std::byte> gguf() const { return tiny.gguf(); }

  /// W += scale * strength * B A, summed in double precision.
  void merge_into(TinyModel& model, float scale) const {
    for (auto& [name, tensor] : model.tensors) {
      const auto a = tiny.tensors.find(name + ".lora_a"), b = tiny.tensors.find(name + ".lora_b");
      if (a == tiny.tensors.end()) continue;
      const bool flipped = name == "token_embd.weight";
      const auto rank = static_cast<size_t>(b->second.dims[0]);
      const auto cols = static_cast<size_t>(tensor.dims[0]), rows = static_cast<size_t>(tensor.dims[1]);
      const double factor = double{scale} * double{tiny.floats.at("adapter.lora.alpha")} / static_cast<double>(rank);
      for (size_t i = 0; i < tensor.values.size(); ++i) {
        const size_t c = i % cols, r = i / cols % rows, e = i / cols / rows;
        const float* row_a = a->second.values.data() + e * rank * cols;
        const float* row_b = b->second.values.data() + (e * rows + r) * rank;
        if (flipped) row_a = a->second.values.data() + r * rank, row_b = b->second.values.data() + c * rank;
        double sum = 0;
        for (size_t j = 0; j < rank; ++j) sum += double{row_b[j]} * double{row_a[flipped ? j : j * cols + c]};
        tensor.values[i] = static_cast<float>(double{tensor.values[i]} + factor * sum);
      }
    }
  }

  /// Stores every tensor as F16 (1) or BF16 (30), cut off.
  void store_as(uint32_t type) {
    for (auto& [name, tensor] : tiny.tensors) {
      tensor.type = type;
      for (const float value : tensor.values) {
        uint32_t bits = 0;
        if (type == 1) {
          bits = kernels::float_to_half(value);
        } else {
          std::memcpy(&bits, &value, sizeof(bits));
          bits >>= 16;
        }
        tensor.blocks.push_back(static_cast<uint8_t>(bits & 0xFF));
        tensor.blocks.push_back(static_cast<uint8_t>(bits >> 8));
      }
    }
  }

 private:
  static TinyShape shape(unsigned seed) {
    TinyShape shape;
    shape.seed = seed;
    return shape;
  }
  static bool is_table(const std::string& name) {
    return name == "position_embd.weight" || name == "token_types.weight" || name == "per_layer_token_embd.weight" ||
           name.find("conv1d") != std::string::npos;
  }
  void clear() { tiny.ints.clear(), tiny.floats.clear(), tiny.texts.clear(), tiny.tensors.clear(); }
};

}  // namespace hearth::testing
