// Pages of the KV cache: sharing, copying on write, windows, room.
#include "lib/cache/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

namespace {

using hearth::BatchToken;
using hearth::CacheLayer;
using hearth::ErrorCode;
using hearth::KVCache;
using hearth::KVType;

std::vector<BatchToken> span_of(int from, int to, hearth::SeqId seq = 0) {
  std::vector<BatchToken> tokens;
  for (int pos = from; pos < to; ++pos) tokens.push_back({0, pos, seq, false});
  return tokens;
}

KVCache make(std::vector<CacheLayer> layers, hearth::CacheOptions options) {
  auto impl = KVCache::Impl::create(layers, options);
  EXPECT_TRUE(impl) << impl.error().message;
  return KVCache(std::move(*impl));
}

/// What a decode() does around the computation.
hearth::Status put(KVCache& cache, std::span<const BatchToken> batch) {
  hearth::Status status = hearth::KVCacheInternals::of(cache).check(batch);
  if (!status) return status;
  hearth::KVCacheInternals::of(cache).begin();
  status = hearth::KVCacheInternals::of(cache).reserve(batch);
  status ? hearth::KVCacheInternals::of(cache).commit() : hearth::KVCacheInternals::of(cache).undo();
  return status;
}

uint64_t page_bytes(const KVCache& cache) {
  uint64_t bytes = 0;
  for (const auto& group : hearth::KVCacheInternals::of(cache).groups) {
    bytes += static_cast<uint64_t>(group.layout().n_pages) * group.layout().page_bytes;
  }
  return bytes;
}

KVCache plain(int64_t n_ctx, int n_seqs) {
  return make({{2, 8, 8, 0}, {2, 8, 8, 0}}, {n_ctx, n_seqs, 64, KVType::kF16, KVType::kF16});
}

TEST(KvCache, HoldsWhatWasReserved) {
  KVCache cache = plain(256, 1);
  EXPECT_EQ(cache.length(0), 0);
  ASSERT_TRUE(put(cache, span_of(0, 70)));
  EXPECT_EQ(cache.length(0), 70);
  EXPECT_TRUE(cache.contains(0, 69));
  EXPECT_FALSE(cache.contains(0, 70));
  EXPECT_EQ(cache.stats().pages_used, 2);
  EXPECT_EQ(page_bytes(cache), 4u * 2 * 2 * 64 * 16 * 2);  // pages, layers, heads, tokens, k and v, bytes
}

TEST(KvCache, FullIsAnErrorThatChangesNothing) {
  KVCache cache = plain(256, 2);  // six pages: four, one for a second sequence's rest, one while a shared one is copied
  ASSERT_TRUE(put(cache, span_of(0, 256)));
  EXPECT_TRUE(cache.room(1, 128));
  EXPECT_FALSE(cache.room(1, 129));
  const auto status = put(cache, span_of(0, 129, 1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kContextFull);
  EXPECT_EQ(cache.length(1), 0);
  EXPECT_EQ(cache.stats().pages_used, 4);
  EXPECT_TRUE(put(cache, span_of(0, 128, 1)));
}

TEST(KvCache, RemoveFreesWholePages) {
  KVCache cache = plain(256, 1);
  ASSERT_TRUE(put(cache, span_of(0, 200)));
  ASSERT_TRUE(cache.remove(0, 64, 128));
  EXPECT_EQ(cache.stats().pages_used, 3);
  EXPECT_FALSE(cache.contains(0, 64));
  EXPECT_TRUE(cache.contains(0, 128));
  EXPECT_EQ(cache.length(0), 200);
  ASSERT_TRUE(cache.trim(0, 10));
  EXPECT_EQ(cache.length(0), 10);
  EXPECT_EQ(cache.stats().pages_used, 1);
  ASSERT_TRUE(cache.remove(0, 0));
  EXPECT_EQ(cache.stats().pages_used, 0);
}

TEST(KvCache, CopySharesUntilWritten) {
  KVCache cache = plain(256, 3);
  ASSERT_TRUE(put(cache, span_of(0, 100)));
  ASSERT_TRUE(cache.copy(0, 1));
  EXPECT_EQ(cache.stats().pages_used, 2);
  EXPECT_EQ(cache.stats().pages_shared, 2);
  ASSERT_TRUE(put(cache, span_of(100, 101, 1)));  // writes into the shared last page
  EXPECT_EQ(cache.stats().pages_used, 3);
  EXPECT_EQ(cache.stats().pages_shared, 1);
  EXPECT_EQ(cache.length(0), 100);
  EXPECT_EQ(cache.length(1), 101);
  ASSERT_TRUE(cache.copy(2, 1));  // an empty sequence replaces what was there
  EXPECT_EQ(cache.length(1), 0);
  EXPECT_EQ(cache.stats().pages_shared, 0);
}

TEST(KvCache, CopyToItselfKeepsTheRange) {
  KVCache cache = plain(256, 1);
  ASSERT_TRUE(put(cache, span_of(0, 150)));
  ASSERT_TRUE(cache.copy(0, 0, 20, 140));
  EXPECT_FALSE(cache.contains(0, 19));
  EXPECT_TRUE(cache.contains(0, 20));
  EXPECT_EQ(cache.length(0), 140);
}

TEST(KvCache, RefusesBadTokens) {
  KVCache cache = plain(128, 1);
  ASSERT_TRUE(put(cache, span_of(0, 4)));
  EXPECT_EQ(put(cache, span_of(3, 5)).error().code, ErrorCode::kInvalidArgument);     // taken
  EXPECT_EQ(put(cache, span_of(4, 5, 1)).error().code, ErrorCode::kInvalidArgument);  // no such sequence
  EXPECT_EQ(put(cache, span_of(128, 129)).error().code, ErrorCode::kContextFull);
  const BatchToken backwards[2] = {{0, 6, 0, false}, {0, 5, 0, false}};
  EXPECT_EQ(put(cache, backwards).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.remove(1, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.remove(0, -1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.copy(0, 5).error().code, ErrorCode::kInvalidArgument);
}

TEST(KvCache, WindowsKeepOnlyTheirPages) {
  KVCache cache = make({{1, 8, 8, 0}, {1, 8, 8, 32}}, {4096, 1, 64, KVType::kF32, KVType::kF32});
  const auto& sliding = hearth::KVCacheInternals::of(cache).groups[1];
  EXPECT_LT(sliding.layout().n_pages, hearth::KVCacheInternals::of(cache).groups[0].layout().n_pages);
  for (int at = 0; at < 4096; at += 64) ASSERT_TRUE(put(cache, span_of(at, at + 64))) << at;
  EXPECT_EQ(cache.length(0), 4096);
  const auto& table = hearth::KVCacheInternals::of(cache).table(1, 0);
  EXPECT_EQ(table[10].page, -1);
  EXPECT_NE(table[63].page, -1);
  EXPECT_EQ(cache.trim(0, 1000).error().code, ErrorCode::kUnsupported);  // its window is gone
  EXPECT_EQ(cache.length(0), 4096);
  EXPECT_TRUE(cache.trim(0, 4090));
  ASSERT_TRUE(cache.remove(0, 0));
  ASSERT_TRUE(put(cache, span_of(0, 64)));
}

TEST(KvCache, InterleavedSequencesNeedNoMorePages) {
  KVCache cache = plain(128, 2);
  std::vector<BatchToken> mixed;
  for (int pos = 0; pos < 64; ++pos) {
    mixed.push_back({0, pos, 0, false});
    mixed.push_back({0, pos, 1, false});
  }
  ASSERT_TRUE(put(cache, mixed));
  EXPECT_EQ(cache.stats().pages_used, 2);
}

TEST(KvCache, UndoTakesBackAllParts) {
  KVCache cache = plain(256, 2);
  ASSERT_TRUE(put(cache, span_of(0, 10)));
  ASSERT_TRUE(cache.copy(0, 1));
  hearth::KVCacheInternals::of(cache).begin();
  ASSERT_TRUE(hearth::KVCacheInternals::of(cache).reserve(span_of(10, 64)));  // copies the shared page
  ASSERT_TRUE(hearth::KVCacheInternals::of(cache).reserve(span_of(64, 100)));
  EXPECT_EQ(cache.length(0), 100);
  hearth::KVCacheInternals::of(cache).undo();
  EXPECT_EQ(cache.length(0), 10);
  EXPECT_EQ(cache.stats().pages_used, 1);
  EXPECT_EQ(cache.stats().pages_shared, 1);
}

TEST(KvCache, UndoBringsBackWhatLeftAWindow) {
  KVCache cache = make({{1, 8, 8, 32}}, {4096, 1, 64, KVType::kF32, KVType::kF32});
  for (int at = 0; at < 512; at += 64) ASSERT_TRUE(put(cache, span_of(at, at + 64)));
  const auto held = [&] {
    std::vector<uint64_t> masks;
    for (const auto& ref : hearth::KVCacheInternals::of(cache).table(0, 0)) masks.push_back(ref.mask);
    return masks;
  };
  const auto before = held();
  hearth::KVCacheInternals::of(cache).begin();
  for (int at = 512; at < 2048; at += 64)
    ASSERT_TRUE(hearth::KVCacheInternals::of(cache).reserve(span_of(at, at + 64))) << at;
  EXPECT_NE(held(), before);
  hearth::KVCacheInternals::of(cache).undo();
  EXPECT_EQ(held(), before);
}

TEST(KvCache, SequencesGoBackByTheStatedTokens) {
  KVCache cache = make({{1, 8, 8, 0}, {1, 8, 8, 32}}, {4096, 1, 64, KVType::kF32, KVType::kF32});
  for (int at = 0; at < 1000; ++at) {
    ASSERT_TRUE(put(cache, span_of(at, at + 1)));
    const auto& table = hearth::KVCacheInternals::of(cache).table(1, 0);
    for (int pos = std::max(0, at - KVCache::kRollbackTokens - 32 + 2); pos <= at; ++pos) {
      ASSERT_TRUE(table[static_cast<size_t>(pos / 64)].mask >> (pos % 64) & 1) << pos << " at " << at;
    }
  }
  EXPECT_EQ(cache.rollback(0, 1001).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.rollback(0, 500).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(cache.length(0), 1000);
  ASSERT_TRUE(cache.rollback(0, KVCache::kRollbackTokens));
  EXPECT_EQ(cache.length(0), 1000 - KVCache::kRollbackTokens);
}

TEST(KvCache, PagesKnowTheirTokens) {
  KVCache cache = plain(256, 2);
  std::vector<BatchToken> batch;
  for (int pos = 0; pos < 100; ++pos) batch.push_back({1000 + pos, pos, 0, false});
  ASSERT_TRUE(put(cache, batch));
  ASSERT_TRUE(cache.copy(0, 1, 0, 80));
  ASSERT_TRUE(put(cache, std::vector<BatchToken>{{7, 80, 1, false}}));
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).token(0, 80), 1080);
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).token(1, 80), 7);
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).token(1, 79), 1079);
}

/// One layer with keys and values, two that keep a state of 5 floats per sequence.
KVCache hybrid(int n_seqs) {
  return make({{0, 0, 0, 0, -1, 5}, {2, 8, 8, 0}, {0, 0, 0, 0, -1, 5}}, {256, n_seqs, 64, KVType::kF16, KVType::kF16});
}

TEST(RecurrentState, EverySequenceHasItsOwn) {
  KVCache cache = hybrid(2);
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).states.floats(), 2 * 5);
  for (const int layer : {0, 2}) {
    for (const int seq : {0, 1})
      std::fill_n(hearth::KVCacheInternals::of(cache).state(layer, seq), 5, static_cast<float>(10 * layer + seq));
  }
  for (const int layer : {0, 2}) {
    for (const int seq : {0, 1})
      EXPECT_EQ(hearth::KVCacheInternals::of(cache).state(layer, seq)[4], static_cast<float>(10 * layer + seq));
  }
}

TEST(RecurrentState, GoesForwardWithoutGaps) {
  KVCache cache = hybrid(2);
  EXPECT_EQ(put(cache, span_of(1, 9)).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(put(cache, span_of(0, 9)));
  EXPECT_EQ(put(cache, span_of(10, 12)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(put(cache, span_of(9, 12)));
}

TEST(RecurrentState, GoesBackToTheStartOrTheCheckpoint) {
  KVCache cache = hybrid(1);
  ASSERT_TRUE(put(cache, span_of(0, 9)));
  hearth::KVCacheInternals::of(cache).state(0, 0)[0] = 9.0f;
  ASSERT_TRUE(put(cache, span_of(9, 12)));
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).state_before(0, 0)[0], 9.0f);
  hearth::KVCacheInternals::of(cache).state(0, 0)[0] = 12.0f;
  EXPECT_EQ(cache.trim(0, 8).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(cache.remove(0, 0, 3).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(cache.length(0), 12);
  EXPECT_TRUE(cache.trim(0, 12));
  ASSERT_TRUE(cache.rollback(0, 3));
  EXPECT_EQ(cache.length(0), 9);
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).state(0, 0)[0], 9.0f);
  EXPECT_EQ(cache.rollback(0, 1).error().code, ErrorCode::kUnsupported);  // one checkpoint, and it is used up
  EXPECT_TRUE(cache.trim(0, 0));
  EXPECT_EQ(cache.length(0), 0);
  EXPECT_TRUE(put(cache, span_of(0, 4)));
}

TEST(RecurrentState, UndoGoesBackOverAllParts) {
  KVCache cache = hybrid(1);
  ASSERT_TRUE(put(cache, span_of(0, 9)));
  hearth::KVCacheInternals::of(cache).state(2, 0)[4] = 9.0f;
  hearth::KVCacheInternals::of(cache).begin();
  for (int pos = 9; pos < 12; ++pos) {
    ASSERT_TRUE(hearth::KVCacheInternals::of(cache).reserve(span_of(pos, pos + 1)));
    EXPECT_EQ(hearth::KVCacheInternals::of(cache).state_before(2, 0)[4], static_cast<float>(pos));
    hearth::KVCacheInternals::of(cache).state(2, 0)[4] = static_cast<float>(pos + 1);
  }
  hearth::KVCacheInternals::of(cache).undo();
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).state(2, 0)[4], 9.0f);
  EXPECT_EQ(cache.length(0), 9);
}

TEST(RecurrentState, AloneHasPositionsToo) {
  KVCache cache = make({{0, 0, 0, 0, -1, 5}}, {128, 1, 64, KVType::kF16, KVType::kF16});
  ASSERT_TRUE(put(cache, span_of(0, 9)));
  EXPECT_EQ(cache.length(0), 9);
  EXPECT_EQ(put(cache, span_of(20, 21)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(cache.room(0, 120));
}

TEST(RecurrentState, IsCopiedWithTheWholeSequenceOnly) {
  KVCache cache = hybrid(2);
  ASSERT_TRUE(put(cache, span_of(0, 9)));
  std::fill_n(hearth::KVCacheInternals::of(cache).state(2, 0), 5, 7.0f);
  EXPECT_EQ(cache.copy(0, 1, 0, 5).error().code, ErrorCode::kUnsupported);
  ASSERT_TRUE(cache.copy(0, 1));
  EXPECT_EQ(cache.length(1), 9);
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).state(2, 1)[3], 7.0f);
  hearth::KVCacheInternals::of(cache).state(2, 1)[3] = 1.0f;
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).state(2, 0)[3], 7.0f);
}

TEST(KvCache, LayersMayUseTheKeysAndValuesOfAnother) {
  KVCache cache = make({{2, 8, 8, 0}, {2, 8, 8, 0, 0}}, {128, 1, 64, KVType::kF16, KVType::kF16});
  EXPECT_EQ(page_bytes(cache), 2u * 2 * 64 * 16 * 2);  // pages, heads, tokens, k and v, bytes: one layer's
  EXPECT_EQ(hearth::KVCacheInternals::of(cache).page(0, 1, 1).k, hearth::KVCacheInternals::of(cache).page(1, 1, 1).k);
}

}  // namespace
