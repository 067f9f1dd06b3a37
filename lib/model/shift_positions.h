// What a shift of positions means for cached keys and values.
#pragma once

#include <span>
#include <vector>

#include "lib/model/forward.h"

namespace hearth {

/// One KV head of a layer.
struct ShiftedHead {
  int layer, kv_head;
};

/// What a shift needs besides the moves, so that nothing can go wrong once these were made.
struct ShiftPlan {
  std::vector<std::vector<float>> cos_sin;  ///< of each rope, for the difference of positions
  std::vector<std::vector<float>> back;     ///< the same, for its negative: ForwardContext::turn_back
  std::vector<ShiftedHead> heads;           ///< whose keys and values lie in the pages, each once
};
ShiftPlan plan_shift(const ForwardContext& c, int32_t delta);

/// Follows moves[g] in the pages of group g of the cache: values are copied as they are, keys are turned by the
/// difference of positions, with the frequencies of their layer and without its factor on cos and sin, which they have
/// already.
void shift_positions(const ForwardContext& c, const ShiftPlan& plan, std::span<const std::vector<SlotMove>> moves);

}  // namespace hearth
