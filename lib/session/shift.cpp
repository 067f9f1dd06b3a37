// Shifting positions, and what to do when a context is full.
#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/model/shift_positions.h"
#include "lib/session/session_impl.h"

namespace hearth {

void Session::Impl::take_turn(SeqId seq, int32_t delta) {
  const ForwardContext c = context();
  ShiftPlan next = plan_shift(c, delta);
  const std::vector<std::vector<SlotMove>> moves = c.cache->take_unturned(seq, delta);
  shift_positions(c, shift_plan, moves);
  shift_plan = std::move(next);
}

Status Session::shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta) {
  return guard([&]() -> Status {
    const ForwardContext c = impl_->context();
    if (delta != 0 && c.hp->max_position > 0) {
      return Error{ErrorCode::kUnsupported, "positions that the model has learned embeddings of cannot be shifted"};
    }
    if (delta != 0) impl_->take_turn(seq, delta);
    std::vector<std::vector<SlotMove>> moves;
    if (Status status = c.cache->shift(seq, p0, p1, delta, moves); !status) return status;
    shift_positions(c, impl_->shift_plan, moves);
    return {};
  });
}

Result<int32_t> Session::make_room(SeqId seq, OnFull on_full, int32_t keep) {
  return guard([&]() -> Result<int32_t> {
    const int32_t length = cache().length(seq);
    keep = std::clamp(keep, 0, std::max(length - 2, 0));
    const int32_t half = (length - keep) / 2;
    // Whole pages, if there are some: the others then move without being copied.
    constexpr int32_t kTokensOfPage = KVCache::kPageTokens;
    const int32_t n = on_full == OnFull::kWindow ? std::min(half, kTokensOfPage)
                      : half < kTokensOfPage     ? half
                                                 : half - half % kTokensOfPage;
    if (on_full == OnFull::kStop || n < 1) {
      return Error{ErrorCode::kContextFull, concat("sequence ", seq, " fills the context of ", options().n_ctx)};
    }
    if (Status status = cache().remove(seq, keep, keep + n); !status) return status.error();
    if (Status status = shift(seq, keep + n, -1, -n); !status) return status.error();
    return n;
  });
}

}  // namespace hearth
