// Keys turned by a difference of positions (Su et al. 2021: rotations add).
#include "lib/model/shift_positions.h"

#include "lib/cache/copy_position.h"
#include "lib/model/paged_attention.h"

namespace hearth {
namespace {

using kernels::kernels;
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

void shift_head(const ForwardContext& c, const ShiftedHead& head, std::span<const SlotMove> moves, const float* cs,
                float* k) {
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(head.layer)];
  const ::hearth::kernels::AttentionShape types = attention_shape(c, shape);
  const auto rotate = c.arch->rope == RopeLayout::kPairs ? kernels().rope_pairs : kernels().rope_halves;
  const auto turn_page = kernels().kv_types[static_cast<int>(types.k_type)].turn_keys;
  for (size_t i = 0; i < moves.size(); ++i) {
    const SlotMove& move = moves[i];
    const KvPage from = c.cache->page(head.layer, move.from_page, head.kv_head);
    const KvPage to = c.cache->page(head.layer, move.to_page, head.kv_head);
    const bool stays = move.from_page == move.to_page && move.from_slot == move.to_slot;
    if (!stays) copy_value(types.v_type, to.v, move.to_slot, from.v, move.from_slot, types.v_dim);
    if (stays && shape.rope >= 0 && turn_page != nullptr) {  // all that the page holds stays where it is
      turn_page(to.k, cs, c.ropes[static_cast<size_t>(shape.rope)].n_rot, c.arch->rope != RopeLayout::kPairs);
      while (i + 1 < moves.size() && moves[i + 1].from_page == move.from_page) ++i;
      continue;
    }
    if (shape.rope < 0) {
      if (stays) continue;
      copy_key(types.k_type, to.k, move.to_slot, from.k, move.from_slot, types.k_dim);
      continue;
    }
    load_kv(kernels(), k, nullptr, from, types, move.from_slot);
    rotate_for_cache(k, 1, types.k_dim, types.k_type);  // its own inverse
    rotate(k, cs, c.ropes[static_cast<size_t>(shape.rope)].n_rot);
    rotate_for_cache(k, 1, types.k_dim, types.k_type);
    store_kv(kernels(), to, types, move.to_slot, k, nullptr);
  }
}

}  // namespace

ShiftPlan plan_shift(const ForwardContext& c, int32_t delta) {
  ShiftPlan plan{{}, stored_heads(*c.hp, static_cast<int>(c.cache->layout.layers.size()))};
  for (const RopeTable& rope : c.ropes) {
    RopeTable turn = rope;
    turn.magnitude = 1.0f;
    plan.cos_sin.emplace_back(static_cast<size_t>(rope.n_rot));
    rope_cos_sin(plan.cos_sin.back().data(), turn, {&delta, 1});
  }
  return plan;
}

void shift_positions(const ForwardContext& c, const ShiftPlan& plan, std::span<const std::vector<SlotMove>> moves) {
  c.parallel->run(static_cast<int>(plan.heads.size()), [&](int task, int worker) {
    const ShiftedHead& head = plan.heads[static_cast<size_t>(task)];
    const int rope = c.hp->layers[static_cast<size_t>(head.layer)].rope;
    const auto group = static_cast<size_t>(c.cache->layout.layers[static_cast<size_t>(head.layer)].group);
    shift_head(c, head, moves[group], rope < 0 ? nullptr : plan.cos_sin[static_cast<size_t>(rope)].data(),
               c.scratch->workers[static_cast<size_t>(worker)].q);
  });
}

}  // namespace hearth
