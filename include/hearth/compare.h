// Compare: what the tensors of one file differ from those of another: what a quantization cost, tensor by tensor.
//
//   auto a = hearth::GgufFile::open("model-f16.gguf"), b = hearth::GgufFile::open("model-q4_k_m.gguf");
//   auto comparison = hearth::compare_files(*a, *b);
//   if (!comparison) return fail(comparison.error());
//   for (const hearth::TensorDifference& t : comparison->tensors) show(t.name, t.relative_error());
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"

namespace hearth {

/// A tensor that both files have, in one shape.
struct TensorDifference {
  std::string name;
  TensorType type_a = TensorType::kF32;
  TensorType type_b = TensorType::kF32;
  int64_t n_elements = 0;
  uint64_t bytes_a = 0;
  uint64_t bytes_b = 0;
  bool same_bytes = false;    ///< equal without looking at values
  double squared_error = 0;   ///< sum of (b - a)^2
  double squared_values = 0;  ///< sum of a^2
  double largest_error = 0;   ///< max |b - a|

  double rmse() const { return n_elements > 0 ? std::sqrt(squared_error / static_cast<double>(n_elements)) : 0; }
  /// Root of the squared error's share of the squared values.
  double relative_error() const { return squared_values > 0 ? std::sqrt(squared_error / squared_values) : 0; }
};

struct FileComparison {
  std::vector<TensorDifference> tensors;                 ///< in the order of the first file
  std::vector<std::string> only_a, only_b, other_shape;  ///< names of tensors that cannot be compared
  std::vector<std::string> keys;                         ///< of metadata that is missing in one or differs
};

struct CompareOptions {
  int n_threads = 0;  ///< 0: default_thread_count(). Results do not depend on it.
  /// Called after every tensor; return false to end with kCancelled. Off: empty.
  std::function<bool(uint64_t done_bytes, uint64_t total_bytes)> on_progress{};
  const std::atomic<bool>* cancel = nullptr;  ///< ends the run once it is true; off: nullptr
};

/// kUnsupported names a tensor of a type without values (integers); kInvalidArgument a file that was opened without
/// data.
Result<FileComparison> compare_files(const GgufFile& a, const GgufFile& b, const CompareOptions& options = {});

}  // namespace hearth
