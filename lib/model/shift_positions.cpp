// Keys turned by a difference of positions (Su et al. 2021: rotations add).
#include "lib/model/shift_positions.h"

#include "lib/cache/copy_position.h"
#include "lib/model/paged_attention.h"

namespace hearth {
namespace {

using kernels::KvPage;

std::vector<ShiftedHead> stored_heads(const HParams& hp, int n_layers) {
  std::vector<ShiftedHead> heads;
  for (int l = 0; l < n_layers; ++l) {
    const LayerShape& shape = hp.layers[static_cast<size_t>(l)];
    if (shape.recurrent || shape.kv_layer != l) continue;
    for (int h = 0; h < shape.n_kv_heads; ++h) heads.push_back({l, h});
  }
  return heads;
}

/// turn: of the layer's rope; its angles are nullptr where there is none.
void shift_head(const ForwardContext& c, const ShiftedHead& head, std::span<const SlotMove> moves,
                const kernels::KeyTurn& turn, float* work) {
  const kernels::AttentionShape types = attention_shape(c, c.hp->layers[static_cast<size_t>(head.layer)]);
  const auto turn_keys = kernels::kernels().kv_types[static_cast<int>(types.k_type)].turn_keys;
  uint64_t slots = 0;  // that have come to a page
  for (size_t i = 0; i < moves.size(); ++i) {
    const SlotMove& move = moves[i];
    const KvPage to = c.cache->page(head.layer, move.to_page, head.kv_head);
    if (move.from_page != move.to_page || move.from_slot != move.to_slot) {
      const KvPage from = c.cache->page(head.layer, move.from_page, head.kv_head);
      copy_key(types.k_type, to.k, move.to_slot, from.k, move.from_slot, types.k_dim, move.n);
      copy_value(types.v_type, to.v, move.to_slot, from.v, move.from_slot, types.v_dim, move.n);
    }
    slots |= ~uint64_t{0} >> (kernels::kPageTokens - move.n) << move.to_slot;
    if (i + 1 < moves.size() && moves[i + 1].to_page == move.to_page) continue;
    if (turn.cos_sin != nullptr) turn_keys(to.k, slots, types.k_dim, turn, work);
    slots = 0;
  }
}

}  // namespace

ShiftPlan plan_shift(const ForwardContext& c, int32_t delta) {
  const auto angles = [&](int32_t by) {
    std::vector<std::vector<float>> cos_sin;
    for (RopeTable turn : c.ropes) {
      turn.magnitude = 1.0f;
      rope_cos_sin(cos_sin.emplace_back(static_cast<size_t>(turn.n_rot)).data(), turn, {&by, 1});
    }
    return cos_sin;
  };
  return {angles(delta), angles(-delta), stored_heads(*c.hp, static_cast<int>(c.cache->layout.layers.size()))};
}

void shift_positions(const ForwardContext& c, const ShiftPlan& plan, std::span<const std::vector<SlotMove>> moves) {
  c.parallel->run(static_cast<int>(plan.heads.size()), [&](int task, int worker) {
    const ShiftedHead& head = plan.heads[static_cast<size_t>(task)];
    const int rope = c.hp->layers[static_cast<size_t>(head.layer)].rope;
    const auto group = static_cast<size_t>(c.cache->layout.layers[static_cast<size_t>(head.layer)].group);
    kernels::KeyTurn turn{nullptr, 0, c.arch->rope != RopeLayout::kPairs};
    if (rope >= 0) {
      turn.cos_sin = plan.cos_sin[static_cast<size_t>(rope)].data();
      turn.n_rot = c.ropes[static_cast<size_t>(rope)].n_rot;
    }
    shift_head(c, head, moves[group], turn, c.scratch->workers[static_cast<size_t>(worker)].q);
  });
}

}  // namespace hearth
