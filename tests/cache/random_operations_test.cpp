// Random operations on a cache beside a simple model of one: maps from positions to numbers, copied as a whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <random>

#include "lib/cache/kv_cache.h"

namespace {

using hearth::BatchToken;
using hearth::CacheLayer;
using hearth::KVCache;
using hearth::KVType;
using hearth::SeqId;
using hearth::Token;

constexpr int kSeqs = 4, kContext = 640, kBatch = 48;

/// What a sequence should hold. A token's id is a number that no other token has.
struct ModelSequence {
  std::map<int32_t, Token> held;
  int32_t floor = 0;     ///< rollback() to here or later must work
  bool shifted = false;  ///< positions may have come into a window that has let go of them

  int32_t length() const { return held.empty() ? 0 : held.rbegin()->first + 1; }
  void remove(int32_t p0, int32_t p1) { held.erase(held.lower_bound(p0), held.lower_bound(p1)); }
};

class RandomOperations : public testing::TestWithParam<std::vector<CacheLayer>> {
 protected:
  RandomOperations() : model_(kSeqs) {
    auto impl = KVCache::Impl::create(GetParam(), {kContext, kSeqs, kBatch, KVType::kF32, KVType::kF32, 3});
    EXPECT_TRUE(impl);
    cache_.emplace(std::move(*impl));
    for (const CacheLayer& layer : GetParam()) recurrent_ = recurrent_ || layer.state_floats > 0;
  }

  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  KVCache::Impl& impl() { return hearth::KVCacheInternals::of(*cache_); }

  /// What a page keeps of a token: its number, and the position by which its key was turned.
  static uint32_t entry(Token id, int32_t pos) {
    return static_cast<uint32_t>(id) + (static_cast<uint32_t>(pos) << 20);
  }
  uint32_t* entries(int layer, int32_t page) { return static_cast<uint32_t*>(impl().page(layer, page, 0).k); }
  int32_t yet_to_turn(const hearth::PageRef& ref) { return ref.unturned ? impl().turn : 0; }

  /// As the forward pass would; a state is a hash of all tokens.
  void compute(std::span<const BatchToken> part) {
    std::vector<bool> seen(kSeqs, false);
    for (size_t layer = 0; layer < GetParam().size(); ++layer) {
      const auto l = static_cast<int>(layer);
      std::fill(seen.begin(), seen.end(), false);
      for (const BatchToken& token : part) {
        if (GetParam()[layer].state_floats > 0) {
          const bool first = !seen[static_cast<size_t>(token.seq)];
          seen[static_cast<size_t>(token.seq)] = true;
          float& state = *impl().state(l, token.seq);
          if (first) state = token.pos == 0 ? 0.0f : *impl().state_before(l, token.seq);
          state = hash(state, token.id);
          continue;
        }
        const auto& ref = impl().table(l, token.seq)[static_cast<size_t>(token.pos / 64)];
        entries(l, ref.page)[token.pos % 64] = entry(token.id, token.pos - yet_to_turn(ref));
      }
    }
  }
  static float hash(float state, Token id) {
    return static_cast<float>((static_cast<int64_t>(state) * 31 + id) % 1000003);
  }

  /// Random tokens that go on with some sequences, mixed; now and then with a gap.
  std::vector<BatchToken> some_batch() {
    std::vector<BatchToken> batch;
    std::vector<int32_t> next(kSeqs);
    for (int seq = 0; seq < kSeqs; ++seq) next[static_cast<size_t>(seq)] = model_[static_cast<size_t>(seq)].length();
    const int n = 1 + below(below(4) == 0 ? 4 * kBatch : 12), first = below(kSeqs), n_used = 1 + below(2);
    for (int i = 0; i < n; ++i) {
      const SeqId seq = (first + below(n_used)) % kSeqs;
      int32_t& pos = next[static_cast<size_t>(seq)];
      if (!recurrent_ && below(200) == 0) pos += 1 + below(80);
      batch.push_back({++last_id_ % 1000000, pos++, seq, false});
    }
    return batch;
  }

  void decode() {
    const std::vector<BatchToken> batch = some_batch();
    if (!impl().check(batch)) return;
    const auto pages_before = pages();
    const bool cancel = below(5) == 0;
    bool fits = true;
    impl().begin();
    for (size_t at = 0; fits && at < batch.size(); at += kBatch) {
      const auto part = std::span(batch).subspan(at, std::min<size_t>(kBatch, batch.size() - at));
      fits = static_cast<bool>(impl().reserve(part));
      if (fits) compute(part);
    }
    if (cancel || !fits) {
      impl().undo();
      EXPECT_EQ(pages(), pages_before);
      return;
    }
    impl().commit();
    for (const BatchToken& token : batch) {
      ModelSequence& seq = model_[static_cast<size_t>(token.seq)];
      seq.held[token.pos] = token.id;
      seq.floor = std::max(seq.floor, token.pos + 1 - KVCache::kRollbackTokens);
    }
  }

  /// Whether room() says what a decode() then finds.
  void ask_room() {
    const auto seq = static_cast<SeqId>(below(kSeqs));
    const int32_t begin = cache_->length(seq), n = below(300);
    std::vector<BatchToken> batch;
    for (int i = 0; i < n; ++i) batch.push_back({1, begin + i, seq, false});
    bool fits = static_cast<bool>(impl().check(batch));
    if (fits) {
      impl().begin();
      for (size_t at = 0; fits && at < batch.size(); at += kBatch) {
        fits = static_cast<bool>(
            impl().reserve(std::span(batch).subspan(at, std::min<size_t>(kBatch, batch.size() - at))));
      }
      impl().undo();
    }
    EXPECT_EQ(cache_->room(seq, n), fits) << n << " after " << begin;
  }

  void roll_back() {
    const auto at = static_cast<size_t>(below(kSeqs));
    ModelSequence& seq = model_[at];
    const int32_t n = below(std::min(seq.length(), 2 * KVCache::kRollbackTokens) + 1), to = seq.length() - n;
    const bool ok = static_cast<bool>(cache_->rollback(static_cast<SeqId>(at), n));
    ModelSequence shorter = seq;
    shorter.remove(to, kContext);
    if (!recurrent_ && !seq.shifted && (n == 0 || shorter.length() >= seq.floor)) {
      EXPECT_TRUE(ok) << n << " to " << to << ", floor " << seq.floor;
    }
    if (ok) seq = shorter;
    if (seq.held.empty()) seq.floor = 0;
  }

  void remove() {
    const auto at = static_cast<size_t>(below(kSeqs));
    ModelSequence& seq = model_[at];
    int32_t p0 = below(kContext), p1 = p0 + below(200);
    if (below(3) == 0) p0 = 0, p1 = kContext;
    if (!cache_->remove(static_cast<SeqId>(at), p0, p1)) return;
    seq.remove(p0, p1);
    if (seq.held.empty()) seq.floor = 0;
  }

  void copy() {
    const auto from = static_cast<size_t>(below(kSeqs)), to = static_cast<size_t>(below(kSeqs));
    int32_t p0 = 0, p1 = kContext;
    if (below(2) == 0) p0 = below(3) == 0 ? below(100) : 0, p1 = p0 + below(kContext);
    if (!cache_->copy(static_cast<SeqId>(from), static_cast<SeqId>(to), p0, p1)) return;
    model_[to] = model_[from];
    model_[to].remove(0, p0);
    model_[to].remove(p1, kContext);
    if (model_[to].held.empty()) model_[to].floor = 0;
  }

  /// Moves entries, and turns them by a difference of positions.
  void follow(const std::vector<std::vector<hearth::SlotMove>>& moves, int32_t delta) {
    for (size_t layer = 0; layer < GetParam().size(); ++layer) {
      if (GetParam()[layer].state_floats > 0) continue;
      const auto l = static_cast<int>(layer);
      for (const hearth::SlotMove& move : moves[static_cast<size_t>(impl().layout.layers[layer].group)]) {
        uint32_t* to = entries(l, move.to_page) + move.to_slot;
        std::memmove(to, entries(l, move.from_page) + move.from_slot, static_cast<size_t>(move.n) * sizeof *to);
        for (int i = 0; i < move.n; ++i) to[i] += entry(0, delta);
      }
    }
  }
  void turn_pages(SeqId seq, int32_t delta) {
    const int32_t before = impl().turn;
    follow(impl().take_unturned(seq, delta), before);
  }

  /// Positions move, and what is stored with them.
  void shift() {
    const auto at = static_cast<size_t>(below(kSeqs));
    ModelSequence& seq = model_[at];
    int32_t p0 = below(std::max(1, seq.length())), p1 = below(3) == 0 ? p0 + below(200) : kContext;
    const int32_t delta = below(3) == 0 ? KVCache::kPageTokens * (below(7) - 3) : below(300) - 150;
    std::erase_if(seq.held, [&](const auto& entry) { return !impl().contains(static_cast<SeqId>(at), entry.first); });
    std::vector<std::vector<hearth::SlotMove>> moves;
    if (delta != 0) turn_pages(static_cast<SeqId>(at), delta);
    if (!impl().shift(static_cast<SeqId>(at), p0, p1, delta, moves)) return;
    follow(moves, delta);
    std::map<int32_t, Token> held;
    for (const auto& [pos, id] : seq.held) held[pos >= p0 && pos < p1 ? pos + delta : pos] = id;
    ASSERT_EQ(held.size(), seq.held.size());
    seq = {held, held.empty() ? 0 : held.rbegin()->first + 1, true};
  }

  void keep() {
    const auto at = static_cast<size_t>(below(kSeqs));
    ASSERT_TRUE(cache_->keep(static_cast<SeqId>(at)));
    for (size_t other = 0; other < model_.size(); ++other) {
      if (other != at) model_[other] = {};
    }
  }

  void save_and_restore() {
    const auto from = static_cast<size_t>(below(kSeqs)), to = static_cast<size_t>(below(kSeqs));
    std::vector<std::byte> bytes;
    ASSERT_TRUE(impl().save(static_cast<SeqId>(from), 5, [&](std::span<const std::byte> more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
      return hearth::Status();
    }));
    ASSERT_FALSE(impl().restore(static_cast<SeqId>(to), 6, bytes));
    const auto turn = [&](int32_t delta) { turn_pages(static_cast<SeqId>(to), delta); };
    const auto status = impl().restore(static_cast<SeqId>(to), 5, bytes, turn);
    if (status) model_[to] = model_[from];
    if (!status) {
      ASSERT_EQ(status.error().code, hearth::ErrorCode::kContextFull) << status.error().message;
    }
  }

  /// A prompt of a few that come again and again: what is known of it is not computed.
  void start_prompt() {
    const auto at = static_cast<size_t>(below(kSeqs));
    const auto seq = static_cast<SeqId>(at);
    std::vector<Token> ids(static_cast<size_t>(1 + below(kContext / 2)));
    const int family = below(3), differs = below(2) == 0 ? 64 * below(4) : kContext;
    for (size_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<Token>(i) + 1000 * (family + (static_cast<int>(i) < differs ? 0 : 3));
    }
    ASSERT_TRUE(cache_->remove(seq, 0, -1));
    const auto root = static_cast<uint64_t>(below(2));  // that of others is not found
    for (Token& id : ids) id += 10000 * static_cast<Token>(root);
    const int32_t known = impl().reuse(seq, ids, root);
    ASSERT_EQ(impl().known(ids, root), known);
    ASSERT_EQ(impl().known(ids, 7), 0);
    ASSERT_LT(known, static_cast<int32_t>(ids.size()));
    ASSERT_EQ(known % KVCache::kPageTokens, 0);
    model_[at] = {{}, std::max(0, known - KVCache::kRollbackTokens), false};
    for (int32_t pos = 0; pos < known; ++pos) model_[at].held[pos] = ids[static_cast<size_t>(pos)];
    for (auto pos = static_cast<size_t>(known); pos < ids.size();) {
      std::vector<BatchToken> batch;
      const auto first = static_cast<int32_t>(pos);
      for (; pos < ids.size() && batch.size() < KVCache::kPageTokens; ++pos) {
        batch.push_back({ids[pos], static_cast<int32_t>(pos), seq, false});
      }
      if (!impl().check(batch)) return;
      impl().begin();
      if (!impl().reserve(batch)) return impl().undo();
      compute(batch);
      impl().commit();
      impl().remember(seq, first, static_cast<int32_t>(pos), root, below(2) == 0);
      for (const BatchToken& token : batch) model_[at].held[token.pos] = token.id;
      model_[at].floor = std::max(0, model_[at].length() - KVCache::kRollbackTokens);
    }
  }

  /// Free pages, and references of every page.
  std::vector<int64_t> pages() {
    std::vector<int64_t> all;
    for (const auto& group : impl().groups) {
      all.push_back(group.pool().n_free());
      for (int32_t page = 0; page < group.pool().n_pages(); ++page) all.push_back(group.pool().refs(page));
    }
    return all;
  }

  void check_sequence(SeqId seq) {
    const ModelSequence& expected = model_[static_cast<size_t>(seq)];
    ASSERT_EQ(cache_->length(seq), expected.length());
    for (size_t layer = 0; layer < GetParam().size(); ++layer) {
      if (GetParam()[layer].state_floats > 0) {
        float state = 0;
        for (const auto& [pos, id] : expected.held) state = hash(state, id);
        if (!expected.held.empty()) {
          ASSERT_EQ(*impl().state(static_cast<int>(layer), seq), state);
        }
        continue;
      }
      check_layer(static_cast<int>(layer), seq, expected);
    }
  }
  void check_layer(int layer, SeqId seq, const ModelSequence& expected) {
    const int window = GetParam()[static_cast<size_t>(layer)].window;
    const int32_t must = window == 0 ? 0 : expected.shifted ? kContext : expected.length() - window + 1;
    const auto table = impl().table(layer, seq);
    for (int32_t pos = 0; pos < kContext; ++pos) {
      const hearth::PageRef& ref = table[static_cast<size_t>(pos / 64)];
      const bool held = (ref.mask >> (pos % 64) & 1) != 0;
      const auto at = expected.held.find(pos);
      if (at == expected.held.end()) {
        ASSERT_FALSE(held) << pos;
        continue;
      }
      if (!held) {
        ASSERT_LT(pos, must);
        continue;
      }
      ASSERT_EQ(entries(layer, ref.page)[pos % 64], entry(at->second, pos - yet_to_turn(ref)));
    }
  }
  /// References are those of the tables, and what nobody refers to is free.
  void check_references() {
    for (const auto& group : impl().groups) {
      std::vector<int32_t> refs(static_cast<size_t>(group.pool().n_pages()), 0);
      for (SeqId seq = 0; seq < kSeqs; ++seq) {
        for (const hearth::PageRef& ref : group.table(seq)) {
          ASSERT_EQ(ref.page < 0, ref.mask == 0);
          ASSERT_EQ(ref.log, -1);
          ASSERT_TRUE(ref.page >= 0 || !ref.unturned);
          if (ref.page >= 0) ++refs[static_cast<size_t>(ref.page)];
        }
      }
      for (size_t page = 0; page < refs.size(); ++page) {
        ASSERT_EQ(group.pool().refs(static_cast<int32_t>(page)), refs[page]);
      }
      ASSERT_EQ(group.pool().n_free(), std::count(refs.begin(), refs.end(), 0));
    }
  }

  void step() {
    const int what = below(100);
    if (what < 45) return decode();
    if (what < 54) return roll_back();
    if (what < 65) return remove();
    if (what < 75) return copy();
    if (what < 80) return shift();
    if (what < 82) return save_and_restore();
    if (what < 90) return start_prompt();
    if (what < 91) return keep();
    if (what < 99) return ask_room();
    if (below(20) != 0) return;
    cache_->clear();
    std::fill(model_.begin(), model_.end(), ModelSequence{});
  }

  void run(int n) {
    for (int i = 0; i < n && !HasFailure(); ++i) {
      SCOPED_TRACE(i);
      step();
      if (i % 8 == 0) check_references();
      for (SeqId seq = 0; i % 8 == 0 && seq < kSeqs; ++seq) check_sequence(seq);
    }
  }

  std::optional<KVCache> cache_;
  std::vector<ModelSequence> model_;
  std::mt19937_64 random_{7};
  Token last_id_ = 0;
  bool recurrent_ = false;
};

TEST_P(RandomOperations, KeepWhatASimpleModelKeeps) {
  run(10000);
}

class SlowRandomOperations : public RandomOperations {};

TEST_P(SlowRandomOperations, KeepWhatASimpleModelKeeps) {
  run(100000);
}

std::string layers_name(const testing::TestParamInfo<std::vector<CacheLayer>>& info) {
  const char* const names[] = {"Full", "FullAndWindows", "Windows", "Hybrid"};
  return names[info.index];
}

const auto kLayers = testing::Values(
    std::vector<CacheLayer>{{1, 1, 1, 0}}, std::vector<CacheLayer>{{1, 1, 1, 0}, {1, 1, 1, 40}, {1, 2, 1, 130}},
    std::vector<CacheLayer>{{1, 1, 1, 70}}, std::vector<CacheLayer>{{0, 0, 0, 0, -1, 3}, {1, 1, 1, 0}});

INSTANTIATE_TEST_SUITE_P(All, RandomOperations, kLayers, layers_name);
INSTANTIATE_TEST_SUITE_P(All, SlowRandomOperations, kLayers, layers_name);

}  // namespace
