// merge_adapters: writes a model with LoRA adapters added into its weights.
//
//   hearth::Status merged = hearth::merge_adapters(*model, adapters, "merged.gguf", {.type =
//   hearth::TensorType::kF16});
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "hearth/adapter.h"
#include "hearth/gguf.h"
#include "hearth/model.h"
#include "hearth/result.h"

namespace hearth {

struct MergeOptions {
  std::optional<TensorType> type{};  ///< of the tensors that change; empty: they keep their own
  int n_threads = 0;                 ///< 0: default_thread_count(). The file does not depend on it.
  /// Called before each tensor; return false to cancel. May be empty.
  std::function<bool(size_t tensor, size_t n_tensors)> progress{};
};

/// Adds scale * strength * B A of each adapter to the tensors that it names and copies all others, one tensor after the
/// other; the file appears under its name only when it is complete. Where an adapter changes an embedding that is the
/// output matrix too, the file gets an output.weight of its own, as the adapter alone leaves the output. Memory: some
/// rows, and A. kInvalidArgument without adapters; kUnsupported for control vectors, adapters with invocation tokens
/// and tensors with a scale beside them; kCancelled; those of GgufWriter.
Status merge_adapters(const Model& model, std::span<const AdapterScale> adapters, const std::string& path,
                      const MergeOptions& options = {});

}  // namespace hearth
