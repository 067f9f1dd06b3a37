// Pages of the KV cache: sharing, copying on write, windows, room.
#include "lib/cache/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using hearth::BatchToken;
using hearth::CacheLayer;
using hearth::ErrorCode;
using hearth::KVCache;

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

KVCache plain(int64_t n_ctx, int n_seqs) {
  return make({{2, 8, 8, 0}, {2, 8, 8, 0}}, {n_ctx, n_seqs, 64, hearth::KVType::kF16, hearth::KVType::kF16});
}

TEST(KvCache, HoldsWhatWasReserved) {
  KVCache cache = plain(256, 1);
  EXPECT_EQ(cache.length(0), 0);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 70)));
  EXPECT_EQ(cache.length(0), 70);
  EXPECT_TRUE(cache.contains(0, 69));
  EXPECT_FALSE(cache.contains(0, 70));
  EXPECT_EQ(cache.stats().pages_used, 2);
  EXPECT_EQ(cache.stats().bytes_total, 4u * 2 * 2 * 64 * 16 * 2);  // pages, layers, heads, tokens, k and v, bytes
}

TEST(KvCache, FullIsAnErrorThatChangesNothing) {
  KVCache cache = plain(128, 2);  // three pages: two for the context, one for a second sequence's rest
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 128)));
  const auto status = cache.impl().reserve(span_of(0, 65, 1));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kContextFull);
  EXPECT_EQ(cache.length(1), 0);
  EXPECT_EQ(cache.stats().pages_used, 2);
  EXPECT_TRUE(cache.impl().reserve(span_of(0, 64, 1)));
}

TEST(KvCache, RemoveFreesWholePages) {
  KVCache cache = plain(256, 1);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 200)));
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
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 100)));
  ASSERT_TRUE(cache.copy(0, 1));
  EXPECT_EQ(cache.stats().pages_used, 2);
  EXPECT_EQ(cache.stats().pages_shared, 2);
  ASSERT_TRUE(cache.impl().reserve(span_of(100, 101, 1)));  // writes into the shared last page
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
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 150)));
  ASSERT_TRUE(cache.copy(0, 0, 20, 140));
  EXPECT_FALSE(cache.contains(0, 19));
  EXPECT_TRUE(cache.contains(0, 20));
  EXPECT_EQ(cache.length(0), 140);
}

TEST(KvCache, RefusesBadTokens) {
  KVCache cache = plain(128, 1);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 4)));
  EXPECT_EQ(cache.impl().reserve(span_of(3, 5)).error().code, ErrorCode::kInvalidArgument);     // taken
  EXPECT_EQ(cache.impl().reserve(span_of(4, 5, 1)).error().code, ErrorCode::kInvalidArgument);  // no such sequence
  EXPECT_EQ(cache.impl().reserve(span_of(128, 129)).error().code, ErrorCode::kContextFull);
  const BatchToken backwards[2] = {{0, 6, 0, false}, {0, 5, 0, false}};
  EXPECT_EQ(cache.impl().reserve(backwards).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.remove(1, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.remove(0, -1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(cache.copy(0, 5).error().code, ErrorCode::kInvalidArgument);
}

TEST(KvCache, WindowsKeepOnlyTheirPages) {
  KVCache cache = make({{1, 8, 8, 0}, {1, 8, 8, 32}}, {4096, 1, 64, hearth::KVType::kF32, hearth::KVType::kF32});
  const auto& sliding = cache.impl().groups[1];
  EXPECT_LT(sliding.n_pages, cache.impl().groups[0].n_pages);
  for (int at = 0; at < 4096; at += 64) ASSERT_TRUE(cache.impl().reserve(span_of(at, at + 64))) << at;
  EXPECT_EQ(cache.length(0), 4096);
  const auto& table = cache.impl().table(1, 0);
  EXPECT_EQ(table[10].page, -1);
  EXPECT_NE(table[63].page, -1);
  EXPECT_EQ(cache.trim(0, 1000).error().code, ErrorCode::kUnsupported);  // its window is gone
  EXPECT_EQ(cache.length(0), 4096);
  EXPECT_TRUE(cache.trim(0, 4090));
  ASSERT_TRUE(cache.remove(0, 0));
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 64)));
}

TEST(KvCache, InterleavedSequencesNeedNoMorePages) {
  KVCache cache = plain(128, 2);
  std::vector<BatchToken> mixed;
  for (int pos = 0; pos < 64; ++pos) {
    mixed.push_back({0, pos, 0, false});
    mixed.push_back({0, pos, 1, false});
  }
  ASSERT_TRUE(cache.impl().reserve(mixed));
  EXPECT_EQ(cache.stats().pages_used, 2);
}

TEST(KvCache, UnreserveTakesBack) {
  KVCache cache = plain(256, 1);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 10)));
  const auto more = span_of(10, 100);
  ASSERT_TRUE(cache.impl().reserve(more));
  cache.impl().unreserve(more);
  EXPECT_EQ(cache.length(0), 10);
  EXPECT_EQ(cache.stats().pages_used, 1);
}

/// One layer with cells, two that keep a state of 5 floats a sequence.
KVCache hybrid(int n_seqs) {
  return make({{0, 0, 0, 0, -1, 5}, {2, 8, 8, 0}, {0, 0, 0, 0, -1, 5}},
              {256, n_seqs, 64, hearth::KVType::kF16, hearth::KVType::kF16});
}

TEST(RecurrentState, EverySequenceHasItsOwn) {
  KVCache cache = hybrid(2);
  const uint64_t pages = (4 + 1) * 2 * 64 * 16 * 2;
  EXPECT_EQ(cache.stats().bytes_total, pages + 2 * 2 * 5 * sizeof(float));
  for (const int layer : {0, 2}) {
    for (const int seq : {0, 1}) std::fill_n(cache.impl().state(layer, seq), 5, static_cast<float>(10 * layer + seq));
  }
  for (const int layer : {0, 2}) {
    for (const int seq : {0, 1}) EXPECT_EQ(cache.impl().state(layer, seq)[4], static_cast<float>(10 * layer + seq));
  }
}

TEST(RecurrentState, GoesForwardWithoutGaps) {
  KVCache cache = hybrid(2);
  EXPECT_EQ(cache.impl().reserve(span_of(1, 9)).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 9)));
  EXPECT_EQ(cache.impl().reserve(span_of(10, 12)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(cache.impl().reserve(span_of(9, 12)));
}

TEST(RecurrentState, CannotGoBackButToTheStart) {
  KVCache cache = hybrid(1);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 9)));
  EXPECT_EQ(cache.trim(0, 8).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(cache.remove(0, 0, 3).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(cache.length(0), 9);
  EXPECT_TRUE(cache.trim(0, 9));
  EXPECT_TRUE(cache.trim(0, 0));
  EXPECT_EQ(cache.length(0), 0);
  EXPECT_TRUE(cache.impl().reserve(span_of(0, 4)));
}

TEST(RecurrentState, IsCopiedWithTheWholeSequenceOnly) {
  KVCache cache = hybrid(2);
  ASSERT_TRUE(cache.impl().reserve(span_of(0, 9)));
  std::fill_n(cache.impl().state(2, 0), 5, 7.0f);
  EXPECT_EQ(cache.copy(0, 1, 0, 5).error().code, ErrorCode::kUnsupported);
  ASSERT_TRUE(cache.copy(0, 1));
  EXPECT_EQ(cache.length(1), 9);
  EXPECT_EQ(cache.impl().state(2, 1)[3], 7.0f);
  cache.impl().state(2, 1)[3] = 1.0f;
  EXPECT_EQ(cache.impl().state(2, 0)[3], 7.0f);
}

TEST(KvCache, LayersMayUseTheCellsOfAnother) {
  KVCache cache = make({{2, 8, 8, 0}, {2, 8, 8, 0, 0}}, {128, 1, 64, hearth::KVType::kF16, hearth::KVType::kF16});
  EXPECT_EQ(cache.stats().bytes_total, 2u * 2 * 64 * 16 * 2);  // pages, heads, tokens, k and v, bytes: one layer's
  EXPECT_EQ(cache.impl().page(0, 1, 1).k, cache.impl().page(1, 1, 1).k);
}

}  // namespace
