// What a Quantizer holds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hearth/quantizer.h"
#include "lib/io/file_reader.h"
#include "lib/quantize/encode_rows.h"
#include "lib/quantize/mix_rules.h"

namespace hearth {

struct Quantizer::Impl {
  Impl(GgufFile source, const QuantizeOptions& given) : file(std::move(source)), options(given) {}

  /// Fills plan, warnings and refusal by the rules of the mix and the options.
  Status choose_types();
  /// Chooses again so that size_target is met. See fit_size.cpp.
  Status fit_size();
  uint64_t overhead_bytes() const;
  /// Relative error (squared) of tensor i as another type, from a sample.
  Result<double> measure_tensor(size_t i, TensorType type, RowEncoder& encoder) const;
  Result<QuantizeError> measure();
  /// kUnsupported when a tensor that is quantized already would be again, unasked.
  Status check_requantizing() const;
  /// What run() would say at once: the source is quantized, or importance is missing.
  Status check_runnable() const;

  int n_threads() const;
  ReadBytes reader_of(const GgufTensor& tensor) const;
  /// Importance to use for a tensor; nullptr where it has none.
  const ImportanceMatrix* importance_for(const GgufTensor& tensor) const;
  uint64_t target_bytes() const;

  Result<QuantizeReport> write(const std::string& path);

  GgufFile file;  ///< metadata and tensor infos; data is read through `sources`
  QuantizeOptions options;
  std::vector<FileReader> sources;         ///< one a shard
  std::vector<const GgufTensor*> tensors;  ///< in the order of the output
  std::vector<TensorPlan> plan;            ///< likewise
  std::vector<std::string> warnings;
  const Mix* mix = nullptr;  ///< nullptr: COPY
};

}  // namespace hearth
