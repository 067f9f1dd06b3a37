// Tensors of a GGUF file as they will be made from arrays of safetensors: named, typed, shaped; then streamed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/convert.h"
#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/convert/families.h"
#include "lib/convert/safetensors.h"

namespace hearth {

/// A part of every expert's matrix in an array of stacked experts. [expert][row][column], or, where the array is meant
/// to be multiplied from the left, [expert][column][row].
struct StackedPart {
  int64_t n_experts = 0;  ///< 0: the source is no such array
  int64_t n_rows = 0;     ///< of an expert in the array
  int64_t n_columns = 0;
  int64_t first_row = 0;  ///< of the part
  bool transposed = false;
};

struct PlannedTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<int64_t> dims;               ///< as GGUF has them: fastest first
  std::vector<const SafeTensor*> sources;  ///< one, or one for each expert
  std::vector<float> values;               ///< instead of sources
  int64_t n_paired_heads = 0;              ///< > 0: rows of each head go from halves to neighboring pairs
  int64_t n_skipped_rows = 0;              ///< at the front of the source
  StackedPart stacked;
  bool plus_one = false;
  float factor = 1.0f;  ///< on every value of the sources
  int64_t layer = -1;
};

struct ConversionPlan {
  std::vector<PlannedTensor> tensors;
  std::vector<std::string> warnings;
};

/// kUnsupported names an array of no rule or of a type that holds no weights; kFormat a shape or expert that does not
/// fit.
Result<ConversionPlan> plan_tensors(const Family& family, const Architecture& arch, const ConfigSizes& sizes,
                                    const RopeScalingKeys& rope, const Safetensors& input,
                                    const ConvertOptions& options);

/// All values of an array of floats.
Result<std::vector<float>> read_floats(const Safetensors& input, const SafeTensor& tensor);

/// Declares, then writes all tensors; finishes the file.
Status write_tensors(GgufWriter& out, const ConversionPlan& plan, const Safetensors& input,
                     const ConvertOptions& options);

/// Row r of a head of n rows comes from this one: pairs (i, i + n / 2) become neighbors (2 i, 2 i + 1).
inline int64_t unpaired_row(int64_t r, int64_t n) {
  return r / 2 + r % 2 * (n / 2);
}

}  // namespace hearth
