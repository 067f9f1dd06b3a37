// What a token costs: bytes read and multiplications, from the tensors of a file.
#pragma once

#include "hearth/kv_cache.h"
#include "hearth/model.h"

namespace hearth_tool {

struct ModelCosts {
  double dense_bytes = 0, dense_macs = 0;    ///< matrices that every token passes
  double expert_bytes = 0, expert_macs = 0;  ///< of all experts together
  /// Only for tokens whose logits are wanted: the output, and of the last layer all behind its attention.
  double output_bytes = 0, output_macs = 0;
  double output_expert_macs = 0;     ///< of the last layer's experts together; their bytes are in expert_bytes
  double expert_share = 0;           ///< experts used / experts
  double kv_bytes_per_position = 0;  ///< read by a token for each position that it attends to
};

ModelCosts count_costs(const hearth::Model& model, hearth::KVType k_type, hearth::KVType v_type);

/// Bytes of weights that one batch reads: all matrices once, of the experts those that are likely hit.
double batch_weight_bytes(const ModelCosts& costs, double n_tokens);
/// Multiply-accumulates in matrix products (attention not counted).
double batch_macs(const ModelCosts& costs, double n_tokens, double n_outputs);

}  // namespace hearth_tool
