// Convert: a Hugging Face folder (safetensors, config.json, tokenizer files) to one GGUF file.
//
//   auto report = hearth::convert_model("SmolLM2-135M", "smollm2.gguf", {.type = hearth::TensorType::kBF16});
//   if (!report) return fail(report.error());
//   for (const std::string& warning : report->warnings) show(warning);
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"

namespace hearth {

struct ConvertOptions {
  /// Of the matrices: kF32, kF16 or kBF16; as in the input where nothing is said. Vectors (norms, biases) are kF32
  /// always.
  std::optional<TensorType> type{};
  std::string pre{};  ///< tokenizer.ggml.pre, where the pre-tokenizer's rules are not recognized; empty: by the rules
  bool checksums = true;  ///< the file tells a checksum of each tensor (GgufFile::check_tensor)
  /// Called as tensors are written; return false to end with kCancelled. Off: empty.
  std::function<bool(uint64_t done_bytes, uint64_t total_bytes)> on_progress{};
  const std::atomic<bool>* cancel = nullptr;  ///< ends the run once it is true; off: nullptr
};

struct ConvertReport {
  std::string architecture;  ///< "llama"
  int64_t n_tensors = 0;
  uint64_t tensor_bytes = 0;
  std::vector<std::string> warnings;  ///< what was left out or is doubtful, one line each
};

/// Converts a folder, or the .safetensors file in one, to `output`, which appears only when it is complete. Memory is
/// bounded by some megabytes and the tokenizer. kUnsupported names a model type, tensor or pre-tokenizer that is not
/// known; kFormat what is missing or damaged; kNotFound, kIo, kCancelled, kOutOfMemory.
Result<ConvertReport> convert_model(const std::string& input, const std::string& output,
                                    const ConvertOptions& options = {});

/// Converts a PEFT folder (adapter_config.json, adapter_model.safetensors) with a LoRA adapter. `base` is the folder of
/// the model that it was trained for, whose config.json says how matrices are named and ordered, or its GGUF file.
Result<ConvertReport> convert_adapter(const std::string& folder, const std::string& base, const std::string& output,
                                      const ConvertOptions& options = {});

/// Values of "model_type" in config.json that convert_model() knows; empty when memory is out.
std::vector<std::string> convertible_model_types();

}  // namespace hearth
