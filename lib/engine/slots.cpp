// Places for answers: reuse of what earlier ones left, and pages promised to each.
#include "lib/engine/slots.h"

#include <algorithm>
#include <limits>

#include "lib/base/concat.h"
#include "lib/cache/kv_cache.h"
#include "lib/session/write_text.h"

namespace hearth {
namespace {

constexpr int32_t kPerPage = KVCache::kPageTokens;

/// The group of layers that see everything; its pages are what runs out. Null when every layer has a window.
const Sequences* full_group(const KVCache& cache) {
  for (const Sequences& group : KVCacheInternals::of(cache).groups)
    if (group.layout().window == 0) return &group;
  return nullptr;
}

}  // namespace

int64_t Slots::free_pages() const {
  const Sequences* group = full_group(*cache_);
  return group != nullptr ? group->pool().n_free() : std::numeric_limits<int32_t>::max();
}

/// Pages that a sequence may still take of those promised to it.
int64_t Slots::growth(SeqId seq) const {
  const Entry& entry = at(seq);
  const Sequences* group = full_group(*cache_);
  if (!entry.taken || group == nullptr) return 0;
  if (entry.will_share > 0) return pages_for(entry.reserved) - entry.will_share / kPerPage;
  int64_t n = 0;
  const int64_t first = std::min(cache_->length(seq), static_cast<int32_t>(entry.held.size()));  // or a gap
  for (int64_t i = first / kPerPage; i < pages_for(entry.reserved); ++i) n += group->needs_page(seq, i);
  return n;
}

int64_t Slots::promised() const {
  int64_t n = 0;
  for (size_t i = 0; i < entries_.size(); ++i) n += growth(static_cast<SeqId>(i));
  return n;
}

/// The sequence that begins most like the prompt, of which at least the last token is to be computed.
SeqId Slots::best_source(std::span<const Token> prompt, uint64_t key, int32_t& n_common) const {
  SeqId best = -1;
  n_common = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].key != key || entries_[i].approximate) continue;
    const auto& held = entries_[i].held;
    const auto differs = std::mismatch(held.begin(), held.end(), prompt.begin(), prompt.end() - 1).first;
    const auto n = static_cast<int32_t>(differs - held.begin());
    if (n > n_common) n_common = n, best = static_cast<SeqId>(i);
  }
  return best;
}

/// The idle sequence that was not used for longest, an empty one first; -1: there is none.
SeqId Slots::oldest_idle(SeqId but) const {
  SeqId oldest = -1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const auto seq = static_cast<SeqId>(i);
    if (entries_[i].taken || seq == but) continue;
    const auto rank = [&](SeqId s) { return at(s).held.empty() ? 0 : at(s).used + 1; };
    if (oldest < 0 || rank(seq) < rank(oldest)) oldest = seq;
  }
  return oldest;
}

/// Where a prompt goes: into its source if that is idle and little of it is lost, otherwise beside it.
SeqId Slots::place_for(SeqId source, int32_t n_common) const {
  const SeqId other = oldest_idle(source);
  if (source < 0 || at(source).taken) return other;
  const bool mostly = 2 * static_cast<size_t>(n_common) >= at(source).held.size();
  return mostly || other < 0 ? source : other;
}

/// Whether so many pages could be had if all idle sequences were given up.
bool Slots::may_fit(int64_t n_pages) const {
  int64_t n = free_pages() - promised();
  for (const Entry& entry : entries_)
    if (!entry.taken) n += pages_for(static_cast<int64_t>(entry.held.size()));
  return n_pages <= n;
}

/// Gives up idle sequences, `keep` last, until all promises can be kept.
bool Slots::make_room(SeqId keep) {
  while (free_pages() < promised()) {
    if (give_up_one(keep)) continue;
    if (keep < 0 || at(keep).taken || at(keep).held.empty()) return false;
    forget(keep);
  }
  return true;
}

bool Slots::give_up_one(SeqId but) {
  SeqId victim = -1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const auto seq = static_cast<SeqId>(i);
    if (entries_[i].taken || entries_[i].held.empty() || seq == but) continue;
    if (victim < 0 || entries_[i].used < at(victim).used) victim = seq;
  }
  if (victim >= 0) forget(victim);
  return victim >= 0;
}

void Slots::hold(SeqId seq, int64_t reserve) {
  Entry& entry = at(seq);
  entry.taken = true;
  entry.reserved = reserve;
  entry.will_share = 0;
  entry.used = ++now_;
}

/// Whether a sequence can begin as the first n tokens of another.
bool Slots::can_share(SeqId from, int32_t n) const {
  const KVCache::Impl& cache = KVCacheInternals::of(*cache_);
  if (cache.states.floats() > 0 && n < cache.length(from)) return false;
  return std::all_of(cache.groups.begin(), cache.groups.end(),
                     [&](const Sequences& group) { return group.reaches_back_to(from, n); });
}

int32_t Slots::cached(std::span<const Token> prompt, uint64_t key) const {
  int32_t n_common = 0;
  const SeqId source = best_source(prompt, key, n_common);
  if (source >= 0 && !can_share(source, n_common)) n_common = 0;
  return std::max(n_common, KVCacheInternals::of(*cache_).known(prompt, key));
}

std::optional<Slots::Place> Slots::take(std::span<const Token> prompt, int64_t reserve, bool reuse, uint64_t key,
                                        SeqId wanted) {
  if (wanted >= 0 && at(wanted).taken) return std::nullopt;
  KVCache::Impl& cache = KVCacheInternals::of(*cache_);
  int32_t n_common = 0;
  SeqId source = reuse ? best_source(prompt, key, n_common) : -1;
  // A sliding window or a recurrent layer may have let go of what would be needed.
  const int32_t n_known = reuse ? cache.known(prompt, key) : 0;
  if (source >= 0 && (n_known > n_common || !can_share(source, n_common))) source = -1, n_common = n_known;
  const SeqId seq = wanted >= 0 ? wanted : place_for(source, n_common);
  if (seq < 0 || !may_fit(pages_for(reserve) - n_common / kPerPage - 1)) return std::nullopt;

  const bool shared =
      source >= 0 && (seq == source ? cache_->trim(seq, n_common) : cache_->copy(source, seq, 0, n_common));
  if (!shared) {
    forget(seq);
    n_common = reuse ? cache.reuse(seq, prompt, key) : 0;
  }
  Entry& entry = at(seq);
  entry.held.assign(prompt.begin(), prompt.begin() + n_common);
  entry.key = key;
  entry.n_known = 0;
  entry.approximate = false;
  hold(seq, reserve);
  if (make_room(source)) return Place{seq, n_common, n_common, cache.branch(seq)};
  release(seq);
  return std::nullopt;
}

std::optional<Slots::Place> Slots::take_changed(Session& session, std::span<const Token> prompt, int64_t reserve,
                                                int32_t min_stretch, uint64_t key) {
  const KVCache::Impl& cache = KVCacheInternals::of(*cache_);
  if (cache.states.floats() > 0) return std::nullopt;
  SeqId seq = -1;
  int32_t most = cached(prompt, key);  // which take() finds
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].taken || entries_[i].key != key || entries_[i].held.empty()) continue;
    const bool whole = std::all_of(cache.groups.begin(), cache.groups.end(),
                                   [i](const Sequences& group) { return group.dropped(static_cast<SeqId>(i)) == 0; });
    if (!whole) continue;
    const int32_t n = kept_of(entries_[i].held, prompt, min_stretch);
    if (n > most) most = n, seq = static_cast<SeqId>(i);
  }
  if (seq < 0 || !may_fit(pages_for(reserve) - most / kPerPage - 1)) return std::nullopt;
  const auto differs = std::mismatch(at(seq).held.begin(), at(seq).held.end(), prompt.begin(), prompt.end()).first;
  const auto n_common = static_cast<int32_t>(differs - at(seq).held.begin());
  const Result<int32_t> kept = session.reuse_changed(seq, prompt, min_stretch);
  if (!kept) return forget(seq), std::nullopt;
  Entry& entry = at(seq);
  entry.approximate = entry.approximate || *kept > n_common;
  int32_t first_gap = 0;
  while (cache_->contains(seq, first_gap)) ++first_gap;
  entry.held.assign(prompt.begin(), prompt.begin() + first_gap);
  entry.n_known = 0;
  hold(seq, reserve);
  if (make_room(-1)) return Place{seq, first_gap, *kept, 0};
  forget(seq);
  release(seq);
  return std::nullopt;
}

std::optional<SeqId> Slots::take_branch(int32_t n_shared, int64_t reserve) {
  const SeqId seq = oldest_idle();
  if (seq < 0) return std::nullopt;
  forget(seq);
  hold(seq, reserve);
  at(seq).will_share = std::max(n_shared, 1);
  if (make_room(-1)) return seq;
  release(seq);
  return std::nullopt;
}

Status Slots::branch(SeqId from, SeqId to) {
  at(to).will_share = 0;
  if (Status status = cache_->copy(from, to); !status) return status;
  at(to).held = at(from).held;
  at(to).key = at(from).key;
  at(to).approximate = at(from).approximate;
  at(to).n_known = at(from).n_known;
  return {};
}

bool Slots::extend(SeqId seq, int64_t reserve) {
  const int64_t before = at(seq).reserved;
  if (reserve <= before) return true;
  at(seq).reserved = reserve;
  if (make_room(-1)) return true;
  at(seq).reserved = before;
  return false;
}

void Slots::computed(SeqId seq, std::span<const Token> tokens) {
  at(seq).held.insert(at(seq).held.end(), tokens.begin(), tokens.end());
}

void Slots::settle(SeqId seq, bool keep_state) {
  Entry& entry = at(seq);
  KVCache::Impl& cache = KVCacheInternals::of(*cache_);
  const int32_t n = cache.length(seq);
  entry.held.resize(std::min(entry.held.size(), static_cast<size_t>(n)));
  if (entry.approximate) return;
  if (n / kPerPage > entry.n_known) cache.remember(seq, 0, n, entry.key, keep_state);
  entry.n_known = n / kPerPage;
}

void Slots::release(SeqId seq) {
  Entry& entry = at(seq);
  entry.taken = false;
  entry.reserved = 0;
  entry.will_share = 0;
  entry.used = ++now_;
}

void Slots::forget(SeqId seq) {
  (void)cache_->remove(seq, 0);
  at(seq).held.clear();
  at(seq).n_known = 0;
  at(seq).approximate = false;
}

Status Slots::check_saving(SeqId seq) const {
  const auto cannot = [seq](const char* why) {
    return Error{ErrorCode::kUnsupported, concat("sequence ", seq, " ", why)};
  };
  if (n_held(seq) > 0 && !cache_->contains(seq, 0)) return cannot("has let go of its first tokens");
  if (at(seq).approximate) return cannot("holds an approximation: its prompt had changed in the middle");
  return {};
}

Status Slots::adopt(SeqId seq, uint64_t key) {
  const KVCache::Impl& cache = KVCacheInternals::of(*cache_);
  Entry& entry = at(seq);
  entry = Entry();
  entry.key = key;
  entry.used = ++now_;
  const int32_t n = cache.length(seq);
  for (int32_t pos = 0; pos < n && cache.contains(seq, pos); ++pos) entry.held.push_back(cache.token(seq, pos));
  if (static_cast<int32_t>(entry.held.size()) < n) {
    forget(seq);
    return Error{ErrorCode::kInvalidArgument, "saved sequence: it does not hold all of its tokens"};
  }
  (void)make_room(seq);
  if (n_held(seq) == n) return {};
  return Error{ErrorCode::kContextFull, "saved sequence: the answers being written need the room for it"};
}

int32_t Slots::n_idle() const {
  return static_cast<int32_t>(std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.taken; }));
}

}  // namespace hearth
