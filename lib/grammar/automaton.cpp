// The closure of places under calls, returns and counters, and the tables of states.
#include "lib/grammar/automaton.h"

#include <algorithm>

namespace hearth::grammar {
namespace {

constexpr size_t kMaxSteps = 1u << 19;   // of one closure
constexpr size_t kMaxPlaces = 1u << 15;  // in one state
constexpr size_t kRowsPerBlock = 32;
constexpr uint32_t kOutside = 0;

uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 32;
}

uint64_t hash_of(const Place& p) {
  return mix((uint64_t{p.node} << 32 | p.frame) ^ mix(static_cast<uint64_t>(p.count) + 0x9E3779B97F4A7C15u));
}

}  // namespace

// --- sets of places -----------------------------------------------------------------------------------

void PlaceSets::grow() {
  table_.assign(std::max<size_t>(64, table_.size() * 2), 0);
  for (uint32_t id = 0; id < sets_.size(); ++id) {
    size_t at = static_cast<size_t>(sets_[id].hash) & (table_.size() - 1);
    while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = id + 1;
  }
}

uint32_t PlaceSets::add(std::span<const Place> sorted, uint32_t flag) {
  if (table_.size() < 2 * (sets_.size() + 1)) grow();
  uint64_t hash = flag;
  for (const Place& p : sorted) hash = mix(hash ^ hash_of(p)) + sorted.size();
  size_t at = static_cast<size_t>(hash) & (table_.size() - 1);
  for (; table_[at] != 0; at = (at + 1) & (table_.size() - 1)) {
    const uint32_t id = table_[at] - 1;
    const std::span<const Place> other = (*this)[id];
    if (sets_[id].hash != hash || sets_[id].flag != flag) continue;
    if (std::equal(sorted.begin(), sorted.end(), other.begin(), other.end())) return id;
  }
  const auto begin = static_cast<uint32_t>(places_.size());
  places_.insert(places_.end(), sorted.begin(), sorted.end());
  sets_.push_back({begin, static_cast<uint32_t>(sorted.size()), flag, hash});
  table_[at] = static_cast<uint32_t>(sets_.size());
  return static_cast<uint32_t>(sets_.size() - 1);
}

// --- states -------------------------------------------------------------------------------------------

Automaton::Automaton(const Program& program) : program_(&program) {
  states_.add({}, 0);  // kDead
  frames_.add({}, 0);  // kOutside
  rows_.push_back(nullptr);
  std::fill_n(row_of(kDead)->to, 256, kDead);
}

Automaton::Row* Automaton::row_of(StateId state) {
  if (rows_[state]) return rows_[state];
  if (rows_used_ % kRowsPerBlock == 0) row_blocks_.push_back(std::make_unique<Row[]>(kRowsPerBlock));
  Row* row = &row_blocks_.back()[rows_used_ % kRowsPerBlock];
  ++rows_used_;
  rows_[state] = row;
  const ByteSet bytes = bytes_after(state);
  for (uint32_t b = 0; b < 256; ++b) row->to[b] = bytes[b >> 6] >> (b & 63) & 1 ? kUnknown : kDead;
  return row;
}

ByteSet Automaton::bytes_after(StateId state) const {
  ByteSet bytes{};
  for (const Place& p : states_[state]) {
    const ByteSet& more = program_->first_bytes[p.node];
    for (int i = 0; i < 4; ++i) bytes[i] |= more[i];
  }
  return bytes;
}

StateId Automaton::start() {
  return state_of({program_->rules[0].start, kOutside, 0});
}

StateId Automaton::state_of(Place place) {
  work_.assign(1, place);
  return close();
}

StateId Automaton::either(StateId a, StateId b) {
  if (a == kDead || b == kDead || a == b) return a == kDead ? b : a;
  std::vector<Place> all(states_[a].begin(), states_[a].end());
  all.insert(all.end(), states_[b].begin(), states_[b].end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  const StateId id = states_.add(all, accepts(a) || accepts(b));
  rows_.resize(states_.size());
  return id;
}

StateId Automaton::compute(StateId state, uint8_t byte) {
  Row* row = row_of(state);
  if (row->to[byte] != kUnknown) return row->to[byte];
  work_.clear();
  for (const Place& p : states_[state]) {
    const Node& n = program_->nodes[p.node];
    if (n.kind != NodeKind::kBytes) continue;
    for (uint32_t i = 0; i < n.b; ++i) {
      const Edge& e = program_->edges[n.a + i];
      if (byte >= e.lo && byte <= e.hi) work_.push_back({e.to, p.frame, p.count});
    }
  }
  const StateId next = close();
  row->to[byte] = next;  // rows do not move
  return next;
}

StateId Automaton::next_token(StateId state, int32_t token) {
  work_.clear();
  for (const Place& p : states_[state]) {
    const Node& n = program_->nodes[p.node];
    if (n.kind != NodeKind::kToken) continue;
    const bool is_named = static_cast<int32_t>(n.b) == token;
    if (is_named == (n.limit == 0)) work_.push_back({n.a, p.frame, p.count});
  }
  return close();
}

bool Automaton::takes_token(StateId state) const {
  const std::span<const Place> all = states_[state];
  return program_->has_tokens && std::any_of(all.begin(), all.end(), [&](const Place& p) {
           return program_->nodes[p.node].kind == NodeKind::kToken;
         });
}

Automaton Automaton::copy() const {
  Automaton other(*program_);
  other.states_ = states_;
  other.frames_ = frames_;
  other.rows_.resize(states_.size(), nullptr);
  return other;
}

// --- closure ------------------------------------------------------------------------------------------

/// Places that work_ holds, and all that is reached from them without a byte, as a state.
StateId Automaton::close() {
  out_.clear();
  calls_.clear();
  accepts_ = false;
  n_seen_ = n_steps_ = 0;
  if (++epoch_ == 0) std::fill(seen_epoch_.begin(), seen_epoch_.end(), 0), epoch_ = 1;
  while (true) {
    while (!work_.empty() && n_steps_ < kMaxSteps) {
      const Place place = work_.back();
      work_.pop_back();
      ++n_steps_;
      visit(place);
    }
    if (calls_.empty() || n_steps_ >= kMaxSteps) break;
    enter_lowest_call();
  }
  std::sort(out_.begin(), out_.end());
  out_.erase(std::unique(out_.begin(), out_.end()), out_.end());
  if (n_steps_ >= kMaxSteps || out_.size() > kMaxPlaces) {
    too_large_ = true;
    work_.clear();
    return kDead;
  }
  const StateId id = states_.add(out_, accepts_);
  rows_.resize(states_.size());
  return id;
}

void Automaton::visit(const Place& place) {
  const NodeKind kind = program_->nodes[place.node].kind;
  if (kind == NodeKind::kBytes || kind == NodeKind::kToken) {
    out_.push_back(place);
  } else if (first_visit(place)) {
    expand(place);
  }
}

void Automaton::expand(const Place& place) {
  const Node& n = program_->nodes[place.node];
  switch (n.kind) {
    case NodeKind::kSplit:
      for (uint32_t i = n.b; i > 0; --i) {
        work_.push_back({program_->targets[n.a + i - 1], place.frame, place.count});
      }
      break;
    case NodeKind::kCall: call(n, place); break;
    case NodeKind::kReturn:
      if (place.frame == kOutside) {
        accepts_ = true;
      } else {
        const std::span<const Place> back = frames_[place.frame];
        work_.insert(work_.end(), back.begin(), back.end());
      }
      break;
    case NodeKind::kCount: {
      const bool stays = n.limit >= 0 && place.count >= n.limit;
      work_.push_back({n.a, place.frame, stays ? n.limit : place.count + 1});
      break;
    }
    case NodeKind::kBelow:
      if (place.count < n.limit) work_.push_back({n.a, place.frame, place.count});
      break;
    case NodeKind::kAtLeast:
      if (place.count >= n.limit) work_.push_back({n.a, place.frame, place.count});
      break;
    case NodeKind::kMark:
      if ((place.count & n.bits()) == 0) work_.push_back({n.a, place.frame, place.count | n.bits()});
      break;
    case NodeKind::kMissing:
      if ((place.count & n.bits()) != n.bits()) work_.push_back({n.a, place.frame, place.count});
      break;
    case NodeKind::kMarked:
      if ((place.count & n.bits()) == n.bits()) work_.push_back({n.a, place.frame, 0});
      break;
    case NodeKind::kLeave:
      if (place.count >= n.limit) work_.push_back({n.a, place.frame, 0});
      break;
    default: break;
  }
}

/// Calls of one rule at one place in the text share a frame, which is known once all of them are. A call that is the
/// last thing its rule does returns to where its rule returns.
void Automaton::call(const Node& node, const Place& place) {
  const Rule& rule = program_->rules[node.a];
  const auto add = [&](const Place& back) {
    calls_.push_back({rule.rank, node.a, back});
    std::push_heap(calls_.begin(), calls_.end());
  };
  if (program_->nodes[node.b].kind != NodeKind::kReturn || place.frame == kOutside) {
    add({node.b, place.frame, place.count});
  } else {
    for (const Place& back : frames_[place.frame]) add(back);
    n_steps_ += frames_[place.frame].size();
  }
  if (rule.nullable) work_.push_back({node.b, place.frame, place.count});
}

void Automaton::enter_lowest_call() {
  const uint32_t rule = calls_.front().rule;
  entries_.clear();
  while (!calls_.empty() && calls_.front().rule == rule) {
    entries_.push_back(calls_.front().back);
    std::pop_heap(calls_.begin(), calls_.end());
    calls_.pop_back();
  }
  std::sort(entries_.begin(), entries_.end());
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
  n_steps_ += entries_.size();
  work_.push_back({program_->rules[rule].start, frames_.add(entries_, 0), 0});
}

/// Remembers places that were expanded in this closure.
bool Automaton::first_visit(const Place& place) {
  if (seen_.size() < 2 * (n_seen_ + 1)) {
    const std::vector<Place> old = std::move(seen_);
    const std::vector<uint32_t> old_epoch = std::move(seen_epoch_);
    seen_.assign(std::max<size_t>(256, 2 * old.size()), {});
    seen_epoch_.assign(seen_.size(), 0);
    n_seen_ = 0;
    if (epoch_ == 0) epoch_ = 1;
    for (size_t i = 0; i < old.size(); ++i) {
      if (old_epoch[i] == epoch_) first_visit(old[i]);
    }
  }
  const size_t mask = seen_.size() - 1;
  for (size_t at = static_cast<size_t>(hash_of(place)) & mask;; at = (at + 1) & mask) {
    if (seen_epoch_[at] != epoch_) {
      seen_epoch_[at] = epoch_;
      seen_[at] = place;
      ++n_seen_;
      return true;
    }
    if (seen_[at] == place) return false;
  }
}

// --- forgetting ---------------------------------------------------------------------------------------

/// Frames refer to frames with lower numbers only, so that one pass down finds what is needed and one pass up moves it.
void Automaton::keep_only(std::span<StateId> states) {
  std::vector<bool> needed(frames_.size());
  for (const StateId s : states) {
    for (const Place& p : states_[s]) needed[p.frame] = true;
  }
  for (size_t f = frames_.size(); f-- > 0;) {
    if (!needed[f]) continue;
    for (const Place& p : frames_[static_cast<uint32_t>(f)]) needed[p.frame] = true;
  }
  Automaton fresh(*program_);
  std::vector<uint32_t> moved(frames_.size());
  std::vector<Place> places;
  const auto move = [&](std::span<const Place> from) {
    places.assign(from.begin(), from.end());
    for (Place& p : places) p.frame = moved[p.frame];
    std::sort(places.begin(), places.end());
  };
  for (uint32_t f = 1; f < frames_.size(); ++f) {
    if (!needed[f]) continue;
    move(frames_[f]);
    moved[f] = fresh.frames_.add(places, 0);
  }
  for (StateId& s : states) {
    move(states_[s]);
    const uint32_t flag = states_.flag(s);
    s = fresh.states_.add(places, flag);
    fresh.rows_.resize(fresh.states_.size());
  }
  fresh.too_large_ = too_large_;
  *this = std::move(fresh);
}

}  // namespace hearth::grammar
