// Fuzz entry: any bytes as an importance matrix, in both forms. What is accepted has weights that are numbers, merges
// with itself, and tells every tensor's.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hearth/importance_matrix.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto matrix = hearth::ImportanceMatrix::from_memory(std::as_bytes(std::span(data, size)));
  if (!matrix) {
    if (matrix.error().message.empty()) __builtin_trap();
    return 0;
  }
  (void)matrix->warnings();
  const hearth::ImportanceMatrix copy = *matrix;
  if (!matrix->merge(copy)) __builtin_trap();
  for (const auto& entry : matrix->entries()) {
    const auto weights = matrix->weights(entry.name);
    if (weights.size() * entry.counts.size() != entry.sums.size()) __builtin_trap();
    for (const float weight : weights) {
      if (!(weight >= 0) || std::isinf(weight)) __builtin_trap();
    }
  }
  return 0;
}
