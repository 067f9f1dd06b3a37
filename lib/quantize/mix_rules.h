// Which type each tensor of a model gets from a mix ("Q4_K_M"): what a tensor is, and the rules as a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"

namespace hearth {

/// A mix: the type that most matrices get, and its number in general.file_type.
struct Mix {
  const char* name;
  TensorType base;
  uint32_t file_type;
};

/// nullptr when there is none of that name (in any case).
const Mix* find_mix(std::string_view name);

/// What the rules ask about a model.
struct MixModel {
  bool is_falcon = false;
  bool is_large = false;    ///< the 70B and 72B shape: 80 layers whose value matrices are small
  bool has_output = false;  ///< an output.weight of its own
  bool has_matrix = false;  ///< an importance matrix
  int64_t n_layers = 0;
  int64_t n_experts = 0;
  int64_t gqa = 1;       ///< query heads per key and value head, of the first layer
  int64_t n_values = 0;  ///< value matrices
};

/// Reads it from metadata and tensor names.
MixModel describe_for_mix(const GgufFile& file, bool has_matrix);

/// Gives types to the tensors of a model, one after the other in the order of the output: some rules count.
class MixChooser {
 public:
  MixChooser(const Mix& mix, const MixModel& model) : mix_(mix), model_(model) {}
  /// The type by the rules, before rows are asked whether they divide.
  TensorType choose(const GgufTensor& tensor);

 private:
  const Mix& mix_;
  const MixModel& model_;
  int64_t n_seen_[16] = {};  ///< tensors of each part so far
};

/// True when the tensor keeps its type in every mix: vectors, norms, routers, position tables, small convolutions.
bool keeps_its_type(const GgufTensor& tensor);
/// True for output.weight, and for embeddings that serve as output too.
bool is_output(const GgufTensor& tensor, const MixModel& model);
bool is_embedding(std::string_view name);

/// The type itself where it divides rows of that length, else a neighbor of larger files whose blocks do; kUnsupported
/// where there is none.
Result<TensorType> fit_to_rows(TensorType type, int64_t row);

/// Whether a tensor of this type is worthless without an importance matrix.
bool needs_importance(const Mix& mix, TensorType type);

/// Number of the layer in "blk.N.", or -1.
int64_t layer_of(std::string_view tensor_name);
/// The order of tensors in the output: by layer, then by name.
bool comes_before(std::string_view a, std::string_view b);

}  // namespace hearth
