// What a host does with sequences between decodes: forget, go back, copy, ask; and the public face of the cache.
#include <algorithm>
#include <string>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/cache/kv_cache.h"

namespace hearth {
namespace {

Error unsupported(std::string message) {
  return {ErrorCode::kUnsupported, std::move(message)};
}

std::string left_the_window(int32_t dropped) {
  return concat("positions before ", dropped, " have left the sliding window, so ");
}

}  // namespace

Status KVCache::Impl::check_range(SeqId seq, int32_t& p0, int32_t& p1) const {
  if (Status status = check_sequence(seq); !status) return status;
  if (p0 < 0) return Error{ErrorCode::kInvalidArgument, concat("position ", p0, " is negative")};
  const auto end = static_cast<int32_t>(options.n_ctx);
  if (p1 < 0 || p1 > end) p1 = end;
  p0 = std::min(p0, p1);
  return {};
}

/// Length of a sequence without what lies at `end` and later.
int32_t KVCache::Impl::length_before(SeqId seq, int32_t end) const {
  int32_t longest = 0;
  for (const Sequences& group : groups) longest = std::max(longest, group.length(seq, end));
  return longest;
}

/// Whether what is left can be continued, at its new end or where it was.
Status KVCache::Impl::check_remove(SeqId seq, int32_t p0, int32_t p1) const {
  const int32_t end = length(seq);
  if (p0 >= end || (p0 == 0 && p1 >= end)) return {};  // nothing or everything goes
  if (states.floats() > 0 && (p1 < end || states.checkpoint(seq) != p0)) {
    const int32_t kept = states.checkpoint(seq);
    return unsupported(concat("recurrent layers can go back to 0", (kept > 0 ? concat(" or to ", kept) : std::string()),
                              " alone, not forget ", p0, "..", std::min(p1, end) - 1));
  }
  for (const Sequences& group : groups) {
    if (p1 < end || group.reaches_back_to(seq, length_before(seq, p0))) continue;
    return unsupported(concat(left_the_window(group.dropped(seq)), "the sequence cannot go back to ", p0));
  }
  return {};
}

Status KVCache::Impl::remove(SeqId seq, int32_t p0, int32_t p1) {
  if (Status status = check_range(seq, p0, p1); !status) return status;
  if (Status status = check_remove(seq, p0, p1); !status) return status;
  const int32_t end = length(seq);
  const bool everything = p0 == 0 && p1 >= end;
  limit_known(seq, p0 / kPageTokens);
  if (everything) branch_[seq] = 0;
  if (states.floats() > 0 && everything) states.restart(seq);
  if (states.floats() > 0 && !everything && p0 < end) states.go_back(seq);
  for (Sequences& group : groups) {
    group.remove(seq, p0, p1);
    if (everything) group.restart(seq);
  }
  return {};
}

Status KVCache::Impl::rollback(SeqId seq, int32_t n) {
  if (Status status = check_sequence(seq); !status) return status;
  const int32_t end = length(seq);
  if (n < 0 || n > end) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("sequence ", seq, " has ", end, " positions and cannot go back by ", n)};
  }
  return remove(seq, end - n, -1);
}

Status KVCache::Impl::copy(SeqId from, SeqId to, int32_t p0, int32_t p1) {
  int32_t q0 = p0, q1 = p1;
  if (Status status = check_range(from, p0, p1); !status) return status;
  if (Status status = check_range(to, q0, q1); !status) return status;
  const int32_t end = length(from);
  if (states.floats() > 0 && (p0 > 0 || p1 < end)) {
    return unsupported("recurrent layers cannot copy a part of a sequence, only all of it");
  }
  for (const Sequences& group : groups) {
    if (p1 >= end || group.reaches_back_to(from, length_before(from, p1))) continue;
    return unsupported(concat(left_the_window(group.dropped(from)), "no copy can end at ", p1));
  }
  if (from == to) {
    if (Status status = remove(to, p1, -1); !status) return status;
    return p0 > 0 ? remove(to, 0, p0) : Status{};
  }
  for (Sequences& group : groups) group.copy(from, to, p0, p1);
  known_[to] = p0 > 0 ? 0 : std::min(known_[from], p1 / kPageTokens);
  root_[to] = root_[from];
  branch_[to] = 0;
  if (states.floats() > 0) states.copy(from, to);
  return {};
}

Status KVCache::Impl::keep(SeqId seq) {
  if (Status status = check_sequence(seq); !status) return status;
  for (SeqId other = 0; other < options.n_seqs; ++other) {
    if (other == seq) continue;
    if (Status status = remove(other, 0, -1); !status) return status;
  }
  return {};
}

Status KVCache::Impl::shift(SeqId seq, int32_t p0, int32_t p1, int32_t delta,
                            std::vector<std::vector<SlotMove>>& moves) {
  if (Status status = check_range(seq, p0, p1); !status) return status;
  const int32_t end = length_before(seq, p1);
  moves.assign(groups.size(), {});
  while (p0 < end && !contains(seq, p0)) ++p0;
  if (delta == 0 || p0 >= end) return {};
  if (states.floats() > 0) return unsupported("positions of recurrent layers cannot be shifted");
  if (int64_t{p0} + delta < 0 || int64_t{end} + delta > options.n_ctx) {
    return Error{ErrorCode::kInvalidArgument,
                 concat("positions ", p0, "..", end - 1, " shifted by ", delta, " are not in 0..", options.n_ctx - 1)};
  }
  for (const Sequences& group : groups) {
    if (!group.collides(seq, p0, end, delta)) continue;
    return Error{ErrorCode::kInvalidArgument, concat("positions that are shifted would meet others of sequence ", seq)};
  }
  for (size_t g = 0; g < groups.size(); ++g) {
    moves[g].reserve(static_cast<size_t>(end - p0));
    if (groups[g].pages_to_shift(seq, p0, end, delta) <= groups[g].pool().n_free()) continue;
    return Error{ErrorCode::kContextFull, concat("no page is free to shift positions of sequence ", seq)};
  }
  limit_known(seq, std::min(p0, p0 + delta) / kPageTokens);
  for (size_t g = 0; g < groups.size(); ++g) groups[g].shift(seq, p0, end, delta, moves[g]);
  return {};
}

std::vector<std::vector<SlotMove>> KVCache::Impl::take_unturned(SeqId seq, int32_t delta) {
  if (turn != delta) seq = -1;
  std::vector<std::vector<SlotMove>> moves(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) moves[g].reserve(static_cast<size_t>(groups[g].n_unturned(seq)));
  for (size_t g = 0; g < groups.size(); ++g) groups[g].take_unturned(seq, moves[g]);
  turn = delta;
  return moves;
}

bool KVCache::Impl::room(SeqId seq, int32_t n) const {
  if (seq < 0 || seq >= options.n_seqs || n < 0 || length(seq) + int64_t{n} > options.n_ctx) return false;
  return std::all_of(groups.begin(), groups.end(),
                     [&](const Sequences& group) { return group.has_room(seq, n, options.n_batch); });
}

int32_t KVCache::Impl::length(SeqId seq) const {
  if (seq < 0 || seq >= options.n_seqs) return 0;
  return length_before(seq, static_cast<int32_t>(options.n_ctx));
}

bool KVCache::Impl::contains(SeqId seq, int32_t pos) const {
  if (seq < 0 || seq >= options.n_seqs || pos < 0 || pos >= options.n_ctx) return false;
  return std::any_of(groups.begin(), groups.end(), [&](const Sequences& group) { return group.holds(seq, pos); });
}

Token KVCache::Impl::token(SeqId seq, int32_t pos) const {
  for (const Sequences& group : groups) {
    if (!group.holds(seq, pos)) continue;
    return group.pool().tokens(group.table(seq)[static_cast<size_t>(pos / kPageTokens)].page)[pos % kPageTokens];
  }
  return -1;
}

KVCacheStats KVCache::Impl::stats() const {
  KVCacheStats stats;
  stats.bytes_total = memory.size();
  for (const Sequences& group : groups) {
    stats.pages_total += group.pool().n_pages();
    for (int32_t page = 0; page < group.pool().n_pages(); ++page) {
      stats.pages_used += group.pool().refs(page) > 0;
      stats.pages_shared += group.pool().refs(page) > 1;
    }
    stats.pages_kept += group.pool().n_cold();
  }
  return stats;
}

// --- the public face ---------------------------------------------------------------------------------------------

KVCache::KVCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KVCache::KVCache(KVCache&&) noexcept = default;
KVCache& KVCache::operator=(KVCache&&) noexcept = default;
KVCache::~KVCache() = default;

void KVCache::clear() {
  impl_->clear();
}
Status KVCache::remove(SeqId seq, int32_t p0, int32_t p1) {
  return guard([&] { return impl_->remove(seq, p0, p1); });
}
Status KVCache::rollback(SeqId seq, int32_t n) {
  return guard([&] { return impl_->rollback(seq, n); });
}
Status KVCache::copy(SeqId from, SeqId to, int32_t p0, int32_t p1) {
  return guard([&] { return impl_->copy(from, to, p0, p1); });
}
Status KVCache::keep(SeqId seq) {
  return guard([&] { return impl_->keep(seq); });
}
Status KVCache::trim(SeqId seq, int32_t n) {
  return guard([&] { return impl_->remove(seq, n, -1); });
}
bool KVCache::room(SeqId seq, int32_t n) const {
  return impl_->room(seq, n);
}
int32_t KVCache::length(SeqId seq) const {
  return impl_->length(seq);
}
bool KVCache::contains(SeqId seq, int32_t pos) const {
  return impl_->contains(seq, pos);
}
Token KVCache::token(SeqId seq, int32_t pos) const {
  return impl_->contains(seq, pos) ? impl_->token(seq, pos) : -1;
}
KVCacheStats KVCache::stats() const {
  return impl_->stats();
}

}  // namespace hearth
